//! The names of what comes into the machine, for those who follow its arrows: see the documentation of the crate.

use root_watch::{ListReason, Listing, Update};

use super::effect::Input;

impl Input {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Update(update) => of_update(update),
            Self::Refused(_) => "refused",
            Self::Release => "release",
            Self::Stop => "stop",
        }
    }
}

fn of_update(update: &Update) -> &'static str {
    match update {
        Update::Down => "down",
        Update::Closed => "closed",
        Update::Trouble(_) => "trouble",
        Update::Lost => "lost",
        Update::Live(live) if live.whole => "live_whole",
        Update::Live(_) => "live",
        Update::Created(_) => "created",
        Update::Written(_) => "written",
        Update::Deleted { told: false, .. } => "deleted",
        Update::Deleted { told: true, .. } => "told",
        Update::Listed(Listing { new_session: true, .. }) => "listed_in_new_session",
        Update::Listed(Listing { reason: ListReason::Gap, .. }) => "listed_after_gap",
        Update::Listed(Listing { reason: ListReason::Changed, .. }) => "listed_as_changed",
        Update::Listed(Listing { reason: ListReason::Audit, .. }) => "listed_by_audit",
        Update::Audited => "audited",
        Update::Records { .. } => "records",
    }
}
