//! Follows the root on one connection, in one of two ways.

use tokio::time::Instant;
use tracing::trace;

use crate::common::{Common, End};
use crate::io::{Effect, Input};
use crate::one_shot::{self, OneShots};
use crate::recursive::Recursive;

#[derive(Debug)]
pub(crate) enum Follow {
    Recursive(Recursive),
    OneShot(OneShots),
}

impl Follow {
    /// Whether the root is followed, and not only about to be.
    pub(crate) fn is_live(&self) -> bool {
        match self {
            Self::Recursive(recursive) => recursive.is_live(),
            Self::OneShot(one_shots) => one_shots.is_live(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Recursive(recursive) => recursive.deadline(),
            Self::OneShot(one_shots) => one_shots.deadline(),
        }
    }

    /// Whether events are to be passed as they come, and not only before a reply.
    pub(crate) fn takes_events(&self) -> bool {
        match self {
            Self::Recursive(recursive) => recursive.takes_events(),
            Self::OneShot(_) => true,
        }
    }

    /// How many records one read may ask for.
    pub(crate) fn max_batch(&self) -> usize {
        match self {
            Self::Recursive(_) => zk_core::MAX_READS,
            Self::OneShot(_) => one_shot::MAX_BATCH,
        }
    }

    /// Follows no more; gives out the updates that are held back.
    pub(crate) fn end(&mut self, common: &mut Common) {
        if let Self::Recursive(recursive) = self {
            recursive.end(common);
        }
    }

    pub(crate) fn handle(&mut self, input: Input, common: &mut Common, now: Instant) -> Result<(), End> {
        let on = input.name();
        match self {
            Self::Recursive(recursive) => {
                let from = recursive.name();
                let handled = follow_recursively(recursive, input, common, now);
                let to = handled.as_ref().map_or_else(End::name, |()| recursive.name());
                trace!(target: "arrow", machine = "recursive", from, on, to);
                handled
            }
            Self::OneShot(one_shots) => {
                let (list, audit) = one_shots.names();
                let handled = follow_by_one_shots(one_shots, input, common, now);
                let end = handled.as_ref().err().map(End::name);
                let to = end.map_or_else(|| one_shots.names(), |end| (end, end));
                trace!(target: "arrow", machine = "one_shot", from = list, on, to = to.0);
                trace!(target: "arrow", machine = "one_shot_audit", from = audit, on, to = to.1);
                handled
            }
        }
    }
}

fn follow_recursively(
    recursive: &mut Recursive,
    input: Input,
    common: &mut Common,
    now: Instant,
) -> Result<(), End> {
    match input {
        Input::Event(received) => recursive.event(&received.0, common, now)?,
        Input::WatchSet { watch, sync, stat } => recursive.watch_set(watch, sync, stat, common, now)?,
        Input::Stat(stat) => recursive.stat(stat, common, now)?,
        Input::Listed(listed) => recursive.listed(listed, common, now)?,
        Input::Wanted { ticket, names } => common.ask(Effect::Read { ticket, names }),
        Input::Read { ticket, records } => recursive.read(ticket, records, common)?,
        Input::Due => recursive.due(common, now),
        Input::WatchEnded => return Err(End::Lost),
        _ => {}
    }
    Ok(())
}

fn follow_by_one_shots(
    one_shots: &mut OneShots,
    input: Input,
    common: &mut Common,
    now: Instant,
) -> Result<(), End> {
    match input {
        Input::ListFired => one_shots.list_fired(),
        Input::RecordFired { name, deleted } => one_shots.record_fired(name, deleted, common),
        Input::Stat(stat) => one_shots.stat(stat, common, now)?,
        Input::Listed(listed) => one_shots.listed(listed, common, now)?,
        Input::Wanted { ticket, names } => one_shots.wanted(ticket, names, common),
        Input::Read { ticket, records } => one_shots.read(ticket, records, common),
        Input::Due => one_shots.due(common, now),
        Input::WatchEnded => return Err(End::Lost),
        _ => {}
    }
    Ok(())
}
