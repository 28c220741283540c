//! What an endpoint is in the set, and what has made it that, for those who follow its arrows: see the documentation of the
//! crate.

use tracing::trace;

/// What an endpoint is in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is not in it.
    Absent,
    /// It is listed, and waits for its record to be shown.
    Awaiting,
    /// It is listed and shown.
    Listed,
    /// It is shown, not listed any more, and nothing is decided yet.
    Settling,
    /// The same, and its record said that it was about to leave.
    Draining,
    /// It is shown and not listed, as part of a mass disappearance.
    Held,
}

/// What has happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// It has a znode that it had not.
    Created,
    /// What is known of a znode is another thing.
    Record,
    /// Its record may not be read.
    Denied,
    /// Its record is waited for no longer.
    Unread,
    /// A znode of it has gone.
    Deleted,
    /// A znode of it has gone, as was meant.
    Told,
    /// It is part of a mass disappearance.
    Mass,
    /// It is not listed in a new session, like many others.
    NewSession,
    /// The time after which its removal is believed is over.
    TimeOver,
    /// It has refused a connection.
    Refused,
    /// The operator removes what is held.
    Released,
}

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Awaiting => "awaiting",
            Self::Listed => "listed",
            Self::Settling => "settling",
            Self::Draining => "draining",
            Self::Held => "held",
        }
    }
}

impl On {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Record => "record",
            Self::Denied => "denied",
            Self::Unread => "unread",
            Self::Deleted => "deleted",
            Self::Told => "told",
            Self::Mass => "mass",
            Self::NewSession => "new_session",
            Self::TimeOver => "time_over",
            Self::Refused => "refused",
            Self::Released => "released",
        }
    }
}

/// An endpoint has changed its place, or something has happened that could change it. The new place is looked up if anybody
/// wants to know.
pub(super) fn arrow(from: Place, on: On, to: impl FnOnce() -> Place) {
    trace!(target: "arrow", machine = "instance", from = from.name(), on = on.name(), to = to().name());
}

/// The same of an endpoint that is listed before and afterwards, and comes to be shown by it if `is_new`.
pub(super) fn listed(is_new: bool, on: On, shows: impl Fn() -> bool) {
    let to = || if is_new || shows() { Place::Listed } else { Place::Awaiting };
    let from = || if is_new { Place::Awaiting } else { to() };
    trace!(target: "arrow", machine = "instance", from = from().name(), on = on.name(), to = to().name());
}
