//! Faults that are planted between a link and its ensemble, to see that the simulation finds them.
//!
//! Each is a mistake that clients of ZooKeeper really make, at the place where they make it: below the supervisor, in the code that
//! speaks to a server. What cannot be wrong there is a patch of the libraries: see the folder `planted` of this crate.

mod ensemble;
mod transport;

use std::fmt;
use std::sync::Arc;

use zk_core::transport::Ensemble;

/// A mistake in the code below the seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A znode that exists already counts as created: it gets the data, whoever it belongs to. Curator's
    /// `create().orSetData()` does that.
    NodeExistsIsSuccess,
    /// A connection that resumes a session sets no watches: those of the connection before are believed to live on.
    WatchNotSetAgain,
    /// Each reconnect creates the ephemeral znodes again, as Dubbo's `recover` does, though the session still has them.
    RecreatedOnReconnect,
    /// A take-over is no transaction: the stale znode is deleted, and then the new one created.
    TakeOverInTwoSteps,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::NodeExistsIsSuccess,
        Self::WatchNotSetAgain,
        Self::RecreatedOnReconnect,
        Self::TakeOverInTwoSteps,
    ];
}

/// One line, for people.
impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NodeExistsIsSuccess => "NodeExists taken for success",
            Self::WatchNotSetAgain => "watch not set again",
            Self::RecreatedOnReconnect => "recreated on every reconnect",
            Self::TakeOverInTwoSteps => "take-over by delete and then create",
        })
    }
}

/// Plants a mistake into the way of one process to its ensemble.
pub fn plant(planted: Planted, ensemble: Arc<dyn Ensemble>) -> Arc<dyn Ensemble> {
    Arc::new(ensemble::Faulty::new(planted, ensemble))
}

#[cfg(test)]
mod tests;
