//! What goes into the machine, and what comes out of it.

use std::fmt;
use std::sync::Arc;

use instance::Endpoint;
use root_watch::Update;

use crate::metrics::Count;
use crate::view::{Freshness, View};

/// Something has happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// To the root.
    Update(Update),
    /// An endpoint refused a connection.
    Refused(Endpoint),
    /// The operator removes the held instances.
    Release,
    /// A handle ends following, or no handle is left.
    Stop,
}

/// Something is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Read records; the reply has the ticket.
    Read { ticket: u64, names: Vec<String> },
    /// Show a view from now on.
    Publish(Published),
    /// Replace the watch: it lost an event.
    Distrust,
    /// Add to a counter.
    Count(Count, u64),
    /// The view is known to be correct now.
    Confirm,
    /// End, for this reason. It is the last effect.
    End(&'static str),
}

/// A view to be published.
#[derive(Clone, PartialEq)]
pub(crate) struct Published(pub(crate) Arc<View>);

impl fmt::Debug for Published {
    // Without moments, which differ from run to run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let View { snapshot, freshness, skipped, unreadable, trouble, .. } = &*self.0;
        f.debug_struct("View")
            .field("snapshot", snapshot)
            .field("live", &matches!(freshness, Freshness::Live { .. }))
            .field("held", &self.0.held_endpoints())
            .field("skipped", skipped)
            .field("unreadable", unreadable)
            .field("trouble", trouble)
            .finish()
    }
}
