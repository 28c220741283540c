//! The names of what a link goes through, for those who follow its arrows: see the documentation of the crate.

use tracing::trace;

use crate::state::Phase;

/// What has happened to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// A new session was granted.
    Granted,
    /// The session was resumed.
    Resumed,
    /// An attempt to connect has failed.
    ConnectFailed,
    /// The ensemble has ended the session.
    Expired,
    /// Nothing was heard of the ensemble for the session timeout.
    PresumedLost,
    /// The connection has ended.
    ConnectionLost,
    /// The server does not reply to the periodic check.
    Unresponsive,
    /// The link is to be closed.
    Close,
    /// The last handle is gone.
    Dropped,
    /// The session has ended, or there is none.
    SessionEnded,
    /// The session could not be closed in time.
    Lingering,
    /// The task has ended before the link was closed.
    TaskEnded,
}

impl On {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Resumed => "resumed",
            Self::ConnectFailed => "connect_failed",
            Self::Expired => "expired",
            Self::PresumedLost => "presumed_lost",
            Self::ConnectionLost => "connection_lost",
            Self::Unresponsive => "unresponsive",
            Self::Close => "close",
            Self::Dropped => "dropped",
            Self::SessionEnded => "session_ended",
            Self::Lingering => "lingering",
            Self::TaskEnded => "task_ended",
        }
    }
}

/// What has happened in a stage of the supervisor, and where that has led.
pub(super) fn stage(from: &'static str, on: On, to: &'static str) {
    trace!(target: "arrow", machine = "supervisor", from, on = on.name(), to);
}

/// The same of the phase that is published.
pub(super) fn phase(from: &Phase, on: On, to: &Phase) {
    trace!(target: "arrow", machine = "phase", from = from.name(), on = on.name(), to = to.name());
}
