//! The names of what comes into the machine, for those who follow its arrows: see the documentation of the crate.

use zk_core::{ErrorKind, EventKind};

use super::io::{Failure, Input, Reply};
use crate::wish::Wish;

impl Input {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Wish(Wish::Present(_)) => "wish",
            Self::Wish(Wish::Absent) => "leave",
            Self::Ready(ready) if ready.is_shared() => "ready_shared",
            Self::Ready(_) => "ready_own",
            Self::Unprepared(None) => "unprepared",
            Self::Unprepared(Some(_)) => "troubled",
            Self::Down => "down",
            Self::Linked(_) => "linked",
            Self::Closed { clean: true } => "closed_clean",
            Self::Closed { clean: false } => "closed",
            Self::Orphaned => "orphaned",
            Self::Permit => "permit",
            Self::Reply(Ok(reply)) => reply.name(),
            Self::Reply(Err(failure)) => failure.name(),
            Self::Fired(EventKind::Created) => "fired_created",
            Self::Fired(EventKind::Deleted) => "fired_deleted",
            Self::Fired(EventKind::DataChanged) => "fired_written",
            Self::Fired(EventKind::ChildrenChanged) => "fired_children",
            Self::Counted => "counted",
            Self::Timer => "timer",
        }
    }
}

impl Reply {
    fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stat(Some(_)) | Self::Audit(Some(_)) => "stat",
            Self::Stat(None) | Self::Audit(None) => "stat_of_none",
            Self::Written(_) => "written",
            Self::Data { .. } => "data",
        }
    }
}

impl Failure {
    fn name(&self) -> &'static str {
        if self.ended {
            return "cut_off";
        }
        match self.error.kind() {
            ErrorKind::NoNode => "no_node",
            ErrorKind::NodeExists => "node_exists",
            ErrorKind::BadVersion => "bad_version",
            ErrorKind::Denied => "denied",
            ErrorKind::Busy => "busy",
            ErrorKind::Timeout(_) => "unanswered",
            ErrorKind::Unsupported | ErrorKind::Refused(_) => "refused",
            _ => "failed",
        }
    }
}
