//! Does what the machine asks for.

use futures_util::FutureExt;
use zk_core::Zk;

use crate::config::Config;
use crate::update::Update;

/// Follows the children of a root over all connections of a link. Not a task: its user polls it inside its own, and
/// nothing happens while it does not.
///
/// `Drop` removes the watch from the server.
#[derive(Debug)]
pub struct RootWatch {
    _zk: Zk,
    _config: Config,
}

impl RootWatch {
    /// Follows nothing yet: see [`set_followed`](Self::set_followed).
    pub fn new(zk: &Zk, config: Config) -> Self {
        Self { _zk: zk.clone(), _config: config }
    }

    /// Sets whether the children are followed; at first they are not, and connections are only prepared.
    ///
    /// `true` takes effect at once: on a connection that is prepared another [`Live`](crate::Live) follows. `false` takes
    /// effect on the next connection.
    pub fn set_followed(&mut self, _followed: bool) {}

    /// Waits for the next update. After [`Update::Closed`] it is that again, at once.
    ///
    /// # Cancel safety
    /// No update is lost if the future is dropped.
    pub async fn next(&mut self) -> Update {
        std::future::pending().await
    }

    /// Returns an update that has arrived already; `None` also after [`Update::Closed`].
    pub fn try_next(&mut self) -> Option<Update> {
        // Outside of the task's budget, which would hide an update that has arrived.
        tokio::task::coop::unconstrained(self.next()).now_or_never()
    }

    /// Reads the data of children, at most [`max_batch`](Self::max_batch) of them; the reply is [`Update::Records`]. With
    /// watches that fire once each record is watched, too.
    ///
    /// A read while the root is not followed, and one that the end of the watch interrupts ([`Update::Down`],
    /// [`Update::Lost`], [`Update::Trouble`]), gets no reply.
    pub fn read(&mut self, _ticket: u64, _names: Vec<String>) {}

    /// How many records one [`read`](Self::read) may ask for, on the present connection.
    pub fn max_batch(&self) -> usize {
        zk_core::MAX_READS
    }

    /// The user has found that an event was lost, as a list or a record changed without one. The watch is replaced
    /// ([`Update::Lost`], then [`Update::Live`]), and everything is read again.
    pub fn distrust(&mut self) {}
}
