//! The names of inputs and of ends, for those who follow the arrows of the machines: see the documentation of the crate.

use zk_core::{Error, ErrorKind, EventKind};

use crate::common::End;
use crate::io::Input;

impl Input {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connected { recursive: true, .. } => "connected",
            Self::Connected { recursive: false, .. } => "connected_to_old",
            Self::Ended => "ended",
            Self::Closed => "closed",
            Self::WatchEnded => "watch_ended",
            Self::Event(received) => match received.0.kind {
                EventKind::Created => "event_created",
                EventKind::Deleted => "event_deleted",
                EventKind::DataChanged => "event_written",
                EventKind::ChildrenChanged => "event_children",
            },
            Self::ListFired => "list_fired",
            Self::RecordFired { deleted: false, .. } => "record_fired",
            Self::RecordFired { deleted: true, .. } => "record_deleted",
            Self::Synced(Ok(())) => "synced",
            Self::Synced(Err(_)) => "sync_failed",
            Self::WatchSet { watch: Ok(()), sync: Ok(()), stat: Ok(_) } => "watch_set",
            Self::WatchSet { watch: Err(error), .. } if error.kind().is_refusal() => "watch_refused",
            Self::WatchSet { watch: Err(error), .. } if is_denied(error) => "watch_denied",
            Self::WatchSet { .. } => "watch_failed",
            Self::Stat(Ok(Some(_))) => "stat",
            Self::Stat(Ok(None)) => "stat_of_none",
            Self::Stat(Err(error)) if is_denied(error) => "stat_denied",
            Self::Stat(Err(_)) => "stat_failed",
            Self::Listed(Ok(Some(_))) => "listed",
            Self::Listed(Ok(None)) => "listed_none",
            Self::Listed(Err(error)) if is_denied(error) => "list_denied",
            Self::Listed(Err(_)) => "list_failed",
            Self::Read { .. } => "read",
            Self::SetFollowed(true) => "follow",
            Self::SetFollowed(false) => "unfollow",
            Self::Wanted { .. } => "wanted",
            Self::Distrust => "distrust",
            Self::Due => "due",
        }
    }
}

impl End {
    /// Where an arrow of what follows the root ends then. What comes next is up to the whole machine.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Refused => "refused",
            Self::Failed(_) => "failed",
        }
    }
}

fn is_denied(error: &Error) -> bool {
    *error.kind() == ErrorKind::Denied
}
