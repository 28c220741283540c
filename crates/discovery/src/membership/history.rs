//! Who came and who went lately: what the set was a second ago.

use std::collections::{BTreeMap, VecDeque};

use instance::Endpoint;
use tokio::time::Instant;

/// The changes of the set, back to a moment that moves on.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Each change, the oldest first.
    log: VecDeque<(Instant, Endpoint)>,
    /// The endpoints in the log.
    recent: BTreeMap<Endpoint, Recent>,
}

/// What the log has about one endpoint. It comes and goes in turn, so numbers are enough.
#[derive(Debug, Default)]
struct Recent {
    /// Whether it was there before these changes.
    was_there: bool,
    changes: usize,
    /// How many changes in the log, older than these, do not count any more.
    void: usize,
}

impl Recent {
    /// It was not there, and is now.
    fn is_fresh(&self) -> bool {
        !self.was_there && self.changes % 2 == 1
    }

    /// It was there, and is not now.
    fn is_gone(&self) -> bool {
        self.was_there && self.changes % 2 == 1
    }
}

impl History {
    /// An endpoint has come, or gone.
    pub(super) fn changed(&mut self, endpoint: &Endpoint, came: bool, now: Instant) {
        self.log.push_back((now, endpoint.clone()));
        let recent = self.recent.entry(endpoint.clone()).or_default();
        if recent.changes == 0 {
            recent.was_there = !came;
        }
        recent.changes += 1;
    }

    /// Whether there is a change of an endpoint that counts.
    pub(super) fn has(&self, endpoint: &Endpoint) -> bool {
        self.recent.get(endpoint).is_some_and(|recent| recent.changes > 0)
    }

    /// An endpoint is gone for a reason that says nothing about the others: it never was there.
    pub(super) fn disregard(&mut self, endpoint: &Endpoint) {
        if let Some(recent) = self.recent.get_mut(endpoint) {
            recent.void += std::mem::take(&mut recent.changes);
        }
    }

    /// Forgets the changes before `then`.
    pub(super) fn forget_before(&mut self, then: Instant) {
        while let Some((_, endpoint)) = self.log.pop_front_if(|(at, _)| *at < then) {
            let Some(recent) = self.recent.get_mut(&endpoint) else { continue };
            if recent.void > 0 {
                recent.void -= 1;
            } else {
                recent.changes -= 1;
                recent.was_there = !recent.was_there;
            }
            if recent.void + recent.changes == 0 {
                self.recent.remove(&endpoint);
            }
        }
    }

    /// Whether an endpoint that is there has come since.
    pub(super) fn is_fresh(&self, endpoint: &Endpoint) -> bool {
        self.recent.get(endpoint).is_some_and(Recent::is_fresh)
    }

    /// Those that have come since and are there.
    pub(super) fn fresh(&self) -> impl Iterator<Item = &Endpoint> {
        self.recent.iter().filter(|(_, recent)| recent.is_fresh()).map(|(endpoint, _)| endpoint)
    }

    /// How many were there then, and are not now.
    pub(super) fn gone(&self) -> usize {
        self.recent.values().filter(|recent| recent.is_gone()).count()
    }
}

#[cfg(test)]
mod tests;
