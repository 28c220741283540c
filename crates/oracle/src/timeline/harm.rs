//! What each kind of fault may delay or hide: the one place where the oracle knows kinds by name.
//!
//! A rule with a bound holds for whoever no such fault concerns. Most faults are not excuses: a connection that breaks, a
//! session that expires, a znode that is deleted by hand, are what the promises are about.

use std::time::Duration;

use crate::history::Bounds;

/// What a fault may do to the processes that it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Harm {
    /// Until when changes of the ensemble may come late, or not at all, though the link says that it is connected.
    pub(crate) changes: Lasting,
    /// Whether the ensemble may be away or begin anew, so that sessions begin their timeouts again.
    pub(crate) ensemble: bool,
    /// Whether the process itself may stand still: then so do its calls, and what it says.
    pub(crate) stands_still: bool,
    /// Whether it waits for something to break, and breaks nothing until it has taken effect.
    pub(crate) waits: bool,
}

/// How long something may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lasting {
    /// Never.
    Not,
    /// While the fault is in force, and until what was delayed has arrived, or its link was found to be down.
    UntilNoticed,
    /// Until the next audit after the fault: an event was lost.
    UntilAudited,
}

impl Harm {
    const NONE: Self = Self { changes: Lasting::Not, ensemble: false, stands_still: false, waits: false };
    const DELAY: Self = Self { changes: Lasting::UntilNoticed, ..Self::NONE };

    pub(super) fn of(kind: &str) -> Self {
        match kind {
            // What breaks visibly: the link says so, and a view that is live again is whole.
            "cut" | "isolate" | "cut_before" | "cut_after" | "expire" | "expire_at_request" => Self::NONE,
            // A refusal is told at once, and tried again.
            "busy" | "clamp" | "refuse_authentication" | "deny_create" => Self::NONE,
            // What others do is what is to be followed.
            "delete_znode" | "delete_all" | "delete_root" | "overwrite" | "rival" | "foreign"
            | "impostor" | "crowd" | "release" => Self::NONE,
            "kill" | "start" | "stop" | "reweigh" | "drain" | "clock_step" => Self::NONE,
            "callee_refuses" | "callee_hangs" | "callee_late" | "callee_half" | "callee_overloaded" => {
                Self::NONE
            }
            // Nothing arrives for a while, and no connection breaks.
            "stall" | "slow" | "behind" => Self::DELAY,
            // With a request or its reply all that is behind it is late, or does not come until the link gives up.
            "late_request" | "lose_reply" | "ignore" | "late_reply" => Self { waits: true, ..Self::DELAY },
            "pause" => Self { stands_still: true, ..Self::DELAY },
            "away" | "older" | "empty" | "server_down" => Self { ensemble: true, ..Self::DELAY },
            "swallow" => Self { changes: Lasting::UntilAudited, waits: true, ..Self::NONE },
            // Servers send no events of what may not be read, and nobody is told when it may be read again.
            "deny_read" => Self { changes: Lasting::UntilAudited, ..Self::NONE },
            // Whatever it is.
            _ => Self { changes: Lasting::UntilAudited, ensemble: true, stands_still: true, waits: false },
        }
    }
}

impl Lasting {
    /// How long after a fault something may still be wrong; `None` if it never is.
    pub(super) fn after(self, bounds: &Bounds) -> Option<Duration> {
        match self {
            Self::Not => None,
            Self::UntilNoticed => Some(bounds.noticed_within() + bounds.propagation),
            Self::UntilAudited => Some(bounds.audited_within()),
        }
    }
}
