//! From what ZooKeeper lists to what is shown: pure, with the time given.
//!
//! Additions show at once. A removal settles first, because a take-over reaches a watcher as a
//! deletion and a creation. Removals that together make a mass disappearance are held for longer.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use instance::{Endpoint, Format, Instance};
use tokio::time::Instant;

/// Removals this close to one another count together.
const TOGETHER: Duration = Duration::from_secs(1);

/// Fewer removals than this are no mass disappearance, however small the set.
const MASS: usize = 3;

/// How many odd names are told apart and counted.
const ODD_NAMES: usize = 1_000;

/// How many odd names are logged in the life of a watcher: names that come and go must not fill a log.
const ODD_LOGGED: usize = 50;

/// What is listed, what is shown, and what is between the two.
#[derive(Debug)]
pub(crate) struct Membership {
    format: Box<dyn Format>,
    settle: Duration,
    hold: Duration,
    /// What ZooKeeper lists.
    listed: BTreeSet<Endpoint>,
    /// What is shown.
    shown: BTreeMap<Endpoint, Arc<Instance>>,
    /// Counts what happened to `shown`.
    steps: u64,
    /// Shown and not listed: when each went, and whether it is part of a mass disappearance.
    leaving: BTreeMap<Endpoint, Leaving>,
    /// Removals that were let through lately, and have not returned.
    recent: BTreeMap<Endpoint, Instant>,
    odd: BTreeSet<String>,
    odd_logged: usize,
}

#[derive(Clone, Copy, Debug)]
struct Leaving {
    since: Instant,
    held: bool,
}

impl Membership {
    pub(crate) fn new(format: Box<dyn Format>, settle: Duration) -> Self {
        Self {
            format,
            settle,
            hold: Duration::ZERO,
            listed: BTreeSet::new(),
            shown: BTreeMap::new(),
            steps: 0,
            leaving: BTreeMap::new(),
            recent: BTreeMap::new(),
            odd: BTreeSet::new(),
            odd_logged: 0,
        }
    }

    /// Sets for how long a mass disappearance is held.
    pub(crate) fn set_hold(&mut self, hold: Duration) {
        self.hold = hold;
    }

    /// A child was created.
    pub(crate) fn created(&mut self, name: &str) {
        if let Some(endpoint) = self.endpoint(name) {
            self.leaving.remove(&endpoint);
            self.listed.insert(endpoint.clone());
            self.show(endpoint);
        }
    }

    /// A child was deleted.
    pub(crate) fn deleted(&mut self, name: &str, now: Instant) {
        match self.format.decode_name(name) {
            Ok(endpoint) => self.gone(endpoint, now),
            Err(_) => {
                self.odd.remove(name);
            }
        }
    }

    /// All children, as listed; in a new session for the first time, or again. Returns whether that was
    /// news.
    ///
    /// Where our session is new, those of the servers may be, too, and they may not be back yet: after a
    /// loss of ZooKeeper's data for one. A first list that lacks more than half is held, however small.
    pub(crate) fn listed(&mut self, names: &[String], now: Instant, new_session: bool) -> bool {
        if !self.odd.is_empty() {
            let names: BTreeSet<_> = names.iter().collect();
            self.odd.retain(|odd| names.contains(odd));
        }
        let listed: BTreeSet<_> = names.iter().filter_map(|name| self.endpoint(name)).collect();
        if listed == self.listed {
            return false;
        }
        let gone: Vec<_> = self.listed.difference(&listed).cloned().collect();
        for endpoint in gone {
            self.gone(endpoint, now);
        }
        for endpoint in listed.iter().cloned() {
            self.leaving.remove(&endpoint);
            self.show(endpoint);
        }
        self.listed = listed;
        if new_session && self.leaving.len() * 2 > self.shown.len() {
            tracing::warn!(disappeared = self.leaving.len(), of = self.shown.len(), hold = ?self.hold,
                "the first list of a new session is much smaller: held back");
            self.leaving.values_mut().for_each(|leaving| leaving.held = true);
        }
        true
    }

    fn show(&mut self, endpoint: Endpoint) {
        self.recent.remove(&endpoint);
        if let Entry::Vacant(free) = self.shown.entry(endpoint) {
            let instance = Instance::new(free.key().clone());
            free.insert(Arc::new(instance));
            self.steps += 1;
        }
    }

    fn gone(&mut self, endpoint: Endpoint, now: Instant) {
        self.listed.remove(&endpoint);
        if self.shown.contains_key(&endpoint) {
            self.leaving.entry(endpoint).or_insert(Leaving { since: now, held: false });
        }
    }

    /// Nobody listens there: if it is held, it need not be any longer. Returns whether it was.
    pub(crate) fn refused(&mut self, endpoint: &Endpoint) -> bool {
        let held = self.leaving.get(endpoint).is_some_and(|leaving| leaving.held);
        if held {
            self.leaving.remove(endpoint);
            self.shown.remove(endpoint);
            self.steps += 1;
        }
        held
    }

    /// There is a link again. What was leaving had no chance to come back while there was none.
    pub(crate) fn linked(&mut self, now: Instant) {
        self.leaving.values_mut().for_each(|leaving| leaving.since = now);
    }

    /// Believes every disappearance that is held.
    pub(crate) fn release(&mut self) {
        self.let_go(|leaving| leaving.held);
    }

    /// Moves on to `now`: what has settled, or was held for long enough, is shown no more.
    pub(crate) fn advance(&mut self, now: Instant) {
        let (hold, settle) = (self.hold, self.settle);
        if hold.is_zero() {
            self.let_go(|leaving| leaving.since + settle <= now);
            return;
        }
        self.let_go(|leaving| leaving.held && leaving.since + hold <= now);
        let ripe = |leaving: &Leaving| !leaving.held && leaving.since + settle <= now;
        let batch: Vec<_> =
            self.leaving.iter().filter(|(_, leaving)| ripe(leaving)).map(|(e, _)| e.clone()).collect();
        if batch.is_empty() {
            return;
        }
        self.recent.retain(|_, removed| *removed + TOGETHER >= now);
        let held = self.leaving.values().filter(|leaving| leaving.held).count();
        // The set as it was before the removals that belong together.
        let before = self.shown.len() + self.recent.len();
        let together = self.recent.len() + held + batch.len();
        if together >= MASS && together * 2 > before {
            tracing::warn!(disappeared = together, of = before, ?hold, "mass disappearance: held back");
            self.leaving.values_mut().filter(|leaving| ripe(leaving)).for_each(|leaving| leaving.held = true);
        } else {
            self.recent.extend(batch.into_iter().map(|endpoint| (endpoint, now)));
            self.let_go(ripe);
        }
    }

    fn let_go(&mut self, which: impl Fn(&Leaving) -> bool) {
        let Self { leaving, shown, steps, .. } = self;
        leaving.retain(|endpoint, state| {
            let go = which(state);
            if go {
                shown.remove(endpoint);
                *steps += 1;
            }
            !go
        });
    }

    /// When [`advance`](Self::advance) will have something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let due = |leaving: &Leaving| leaving.since + if leaving.held { self.hold } else { self.settle };
        self.leaving.values().map(due).min()
    }

    /// Another number than before where what is shown may have changed.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// What is shown, sorted by endpoint.
    pub(crate) fn instances(&self) -> Box<[Arc<Instance>]> {
        self.shown.values().cloned().collect()
    }

    /// Shown, but held back from leaving.
    pub(crate) fn held(&self) -> usize {
        self.leaving.values().filter(|leaving| leaving.held).count()
    }

    /// Listed, but no instances.
    pub(crate) fn skipped(&self) -> usize {
        self.odd.len()
    }

    fn endpoint(&mut self, name: &str) -> Option<Endpoint> {
        match self.format.decode_name(name) {
            Ok(endpoint) => Some(endpoint),
            Err(error) => {
                if self.odd.len() < ODD_NAMES && self.odd.insert(name.to_owned()) {
                    self.odd_logged += 1;
                    match self.odd_logged {
                        ..ODD_LOGGED => tracing::warn!(child = name, %error, "no instance: skipped"),
                        ODD_LOGGED => tracing::warn!("further children that are no instances are not logged"),
                        _ => {}
                    }
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use instance::Plain;

    use super::*;

    struct Script {
        membership: Membership,
        now: Instant,
    }

    impl Script {
        fn with(count: u16) -> Self {
            let mut membership = Membership::new(Box::new(Plain), Duration::from_millis(5));
            membership.set_hold(Duration::from_secs(10));
            let mut script = Self { membership, now: Instant::now() };
            script.listed(1..=count);
            script
        }

        fn listed(&mut self, ports: impl IntoIterator<Item = u16>) {
            let names: Vec<_> = ports.into_iter().map(name).collect();
            self.membership.listed(&names, self.now, false);
            self.pass(0);
        }

        fn delete(&mut self, ports: impl IntoIterator<Item = u16>) {
            for port in ports {
                self.membership.deleted(&name(port), self.now);
            }
            self.pass(0);
        }

        fn create(&mut self, port: u16) {
            self.membership.created(&name(port));
            self.pass(0);
        }

        fn pass(&mut self, ms: u64) {
            self.now += Duration::from_millis(ms);
            self.membership.advance(self.now);
        }

        fn ports(&self) -> Vec<u16> {
            self.membership.instances().iter().map(|instance| instance.endpoint().port()).collect()
        }
    }

    fn name(port: u16) -> String {
        format!("127.0.0.1:{port}")
    }

    #[test]
    fn additions_show_at_once_and_single_removals_after_settling() {
        let mut script = Script::with(3);
        script.create(4);
        assert_eq!(script.ports(), [1, 2, 3, 4]);
        script.delete([2]);
        assert_eq!(script.ports(), [1, 2, 3, 4], "still settling");
        script.pass(5);
        assert_eq!(script.ports(), [1, 3, 4]);
        assert_eq!(script.membership.next_deadline(), None);
    }

    #[test]
    fn a_take_over_is_no_gap() {
        let mut script = Script::with(3);
        script.delete([1]);
        script.pass(4);
        script.create(1);
        script.pass(100);
        assert_eq!(script.ports(), [1, 2, 3]);
    }

    #[test]
    fn a_mass_disappearance_is_held_and_then_believed() {
        let mut script = Script::with(10);
        script.delete(1..=8);
        script.pass(5);
        assert_eq!(script.ports().len(), 10);
        assert_eq!(script.membership.held(), 8);
        script.pass(9_990);
        assert_eq!(script.ports().len(), 10);
        script.pass(10);
        assert_eq!(script.ports(), [9, 10]);
    }

    #[test]
    fn a_mass_disappearance_in_drips_is_stopped_at_half() {
        let mut script = Script::with(10);
        for port in 1..=8 {
            script.delete([port]);
            script.pass(20);
        }
        assert_eq!(script.ports().len(), 5);
        assert_eq!(script.membership.held(), 3);
    }

    #[test]
    fn a_rolling_restart_is_no_mass_disappearance() {
        let mut script = Script::with(3);
        for port in [1, 2, 3, 1, 2, 3] {
            script.delete([port]);
            script.pass(5);
            assert_eq!(script.ports().len(), 2, "{port} is gone at once");
            script.create(port);
            script.pass(5);
        }
    }

    #[test]
    fn removals_far_apart_are_ordinary() {
        let mut script = Script::with(10);
        for port in 1..=9 {
            script.delete([port]);
            script.pass(1_200);
        }
        assert_eq!(script.ports(), [10]);
    }

    #[test]
    fn small_sets_may_empty_at_once() {
        let mut script = Script::with(2);
        script.delete([1, 2]);
        script.pass(5);
        assert!(script.ports().is_empty());
    }

    #[test]
    fn what_is_held_returns_unseen_or_goes_when_refused() {
        let mut script = Script::with(4);
        script.listed([]);
        script.pass(100);
        assert_eq!(script.ports(), [1, 2, 3, 4]);
        script.create(1);
        script.membership.refused(&name(2).parse().unwrap());
        script.membership.refused(&name(1).parse().unwrap());
        script.pass(0);
        assert_eq!(script.ports(), [1, 3, 4], "1 is listed again and stays, 2 refused");
        script.membership.release();
        script.pass(0);
        assert_eq!(script.ports(), [1]);
    }

    #[test]
    fn a_new_sessions_much_smaller_first_list_is_held_however_small_the_set() {
        for (before, after) in [(1, 0), (3, 1), (10, 4)] {
            let mut script = Script::with(before);
            let names: Vec<_> = (1..=after).map(name).collect();
            script.membership.listed(&names, script.now, true);
            script.pass(100);
            assert_eq!(script.ports().len(), usize::from(before), "{before} to {after}");
            script.pass(10_000);
            assert_eq!(script.ports().len(), usize::from(after));
        }
        let mut script = Script::with(2);
        script.membership.listed(&[name(1)], script.now, true);
        script.pass(5);
        assert_eq!(script.ports(), [1], "half is ordinary");
    }

    #[test]
    fn a_hold_of_zero_believes_everything() {
        let mut script = Script::with(4);
        script.membership.set_hold(Duration::ZERO);
        script.listed([]);
        script.pass(5);
        assert!(script.ports().is_empty());
    }

    #[test]
    fn odd_names_are_skipped_and_counted() {
        let mut script = Script::with(1);
        let names = ["127.0.0.1:1", "127.0.0.1:01", "vector_1", "", "127.0.0.1:99999"].map(String::from);
        script.membership.listed(&names, script.now, false);
        script.pass(0);
        assert_eq!(script.ports(), [1]);
        assert_eq!(script.membership.skipped(), 4);
        script.membership.deleted("vector_1", script.now);
        assert_eq!(script.membership.skipped(), 3);
    }
}
