//! Removals that are not believed yet: they settle, or are held as part of a mass disappearance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use instance::Endpoint;
use tokio::time::Instant;

use super::arrows::{On, Place, arrow};
use super::history::History;
use crate::config::MassDisappearance;

/// The longest time an instance is held, as a multiple of the hold and counted in time with a link, however often
/// the link comes and goes.
const MAX_HOLDS: u32 = 3;

/// The instances that are shown, and have no znode any more.
#[derive(Debug)]
pub(super) struct Removals {
    settle: Duration,
    hold: Duration,
    rule: MassDisappearance,
    /// Whether the link is up: removals wait without it.
    link_up: bool,
    pending: BTreeMap<Endpoint, Removal>,
    history: History,
    /// How many removals were held so far.
    total_held: u64,
}

/// A removal that is settling or held.
#[derive(Debug)]
struct Removal {
    /// The last znode of the instance.
    name: Arc<str>,
    /// When that went; if the link went down since, when it came up again.
    since: Instant,
    /// How long the removal waited while the link was up before.
    earlier: Duration,
    /// Whether the instance is held as part of a mass disappearance.
    held: bool,
    /// Whether its record said that it is about to leave: then it counts for no hold, and is not held.
    was_draining: bool,
}

impl Removals {
    pub(super) fn new(settle: Duration, rule: MassDisappearance) -> Self {
        Self {
            settle,
            hold: Duration::ZERO,
            rule,
            link_up: false,
            pending: BTreeMap::new(),
            history: History::default(),
            total_held: 0,
        }
    }

    pub(super) fn set_hold(&mut self, hold: Duration) {
        self.hold = hold;
    }

    /// An endpoint has a znode that had none; `after_gap` if nobody knows for how long. Returns where it was.
    pub(super) fn came(&mut self, endpoint: &Endpoint, after_gap: bool, now: Instant) -> Place {
        if let Some(removal) = self.pending.remove(endpoint) {
            return removal.place();
        }
        if !after_gap || self.history.has(endpoint) {
            self.changed(endpoint, true, now);
        }
        Place::Absent
    }

    /// An endpoint that is not shown has no znode any more.
    pub(super) fn went(&mut self, endpoint: &Endpoint, now: Instant) {
        self.changed(endpoint, false, now);
    }

    /// An endpoint that is shown has no znode any more.
    pub(super) fn begin(&mut self, endpoint: Endpoint, name: Arc<str>, was_draining: bool, now: Instant) {
        let removal = Removal { name, since: now, earlier: Duration::ZERO, held: false, was_draining };
        arrow(Place::Listed, On::Deleted, || removal.place());
        self.pending.entry(endpoint).or_insert(removal);
    }

    /// An endpoint is gone for a reason of its own: nothing is to be decided, and it counts for no hold. Returns what its
    /// removal was at, if it had one.
    pub(super) fn believe(&mut self, endpoint: &Endpoint) -> Option<Place> {
        let removal = self.pending.remove(endpoint);
        self.history.disregard(endpoint);
        removal.map(|removal| removal.place())
    }

    /// The endpoint whose last znode had this name.
    pub(super) fn endpoint_of(&self, name: &str) -> Option<Endpoint> {
        self.pending.iter().find(|(_, removal)| *removal.name == *name).map(|(endpoint, _)| endpoint.clone())
    }

    /// Takes the removals that are to be believed by `now`, and holds those that have settled and are part of a mass
    /// disappearance. `known` is how many instances there are, those with a removal included.
    pub(super) fn take_due(&mut self, known: usize, now: Instant) -> Vec<Endpoint> {
        let is_due = |removal: &Removal| removal.due(self.settle, self.hold) <= now;
        let due = self.pending.iter().filter(|(_, removal)| is_due(removal));
        let mut due: Vec<_> =
            due.map(|(endpoint, removal)| (endpoint.clone(), removal.is_explained())).collect();
        if due.iter().any(|(_, is_explained)| !is_explained) && !self.hold.is_zero() {
            self.hold_if_mass(known, now, &mut due);
        }
        for (endpoint, is_explained) in &due {
            let was = if *is_explained {
                self.believe(endpoint)
            } else {
                self.pending.remove(endpoint).map(|removal| {
                    self.changed(endpoint, false, now);
                    removal.place()
                })
            };
            was.into_iter().for_each(|was| arrow(was, On::TimeOver, || Place::Absent));
        }
        due.into_iter().map(|(endpoint, _)| endpoint).collect()
    }

    /// Holds those of `due` that have settled, and takes them out, if the set lacks too many of those that were there
    /// a while ago, or when the first of the removals came. Those that have come since then neither count nor are held,
    /// like those that were draining.
    fn hold_if_mass(&mut self, known: usize, now: Instant, due: &mut Vec<(Endpoint, bool)>) {
        let unexplained = self.pending.values().filter(|removal| !removal.is_explained());
        let first = unexplained.map(|removal| removal.since).min();
        let window = now.checked_sub(self.rule.window());
        self.history.forget_before(first.into_iter().chain(window).min().unwrap_or(now));
        let of_before = self.pending.iter().filter(|(endpoint, _)| !self.history.is_fresh(endpoint));
        let (draining, pending): (Vec<_>, Vec<_>) = of_before.partition(|(_, removal)| removal.was_draining);
        let fresh = self.history.fresh().count();
        let gone_before = self.history.gone();
        let (before, disappeared) =
            (known - fresh - draining.len() + gone_before, pending.len() + gone_before);
        if !self.rule.applies(disappeared, before) {
            return;
        }
        due.retain(|(endpoint, is_explained)| {
            let keep = *is_explained || self.history.is_fresh(endpoint);
            if let (false, Some(removal)) = (keep, self.pending.get_mut(endpoint)) {
                removal.hold(On::Mass);
                self.total_held += 1;
            }
            keep
        });
        let (held, hold) = (self.held(), self.hold);
        tracing::warn!(?hold, disappeared, "mass disappearance: holding {held} of {known} instances");
    }

    /// Holds all removals if they are too large a share of the instances, however few.
    pub(super) fn hold_after_new_session(&mut self, known: usize) {
        let draining = self.pending.values().filter(|removal| removal.was_draining).count();
        let (disappeared, before) = (self.pending.len() - draining, known - draining);
        if self.hold.is_zero() || !self.rule.is_too_large_a_share(disappeared, before) {
            return;
        }
        for removal in self.pending.values_mut().filter(|removal| !removal.is_explained()) {
            removal.hold(On::NewSession);
            self.total_held += 1;
        }
        let (held, hold) = (self.held(), self.hold);
        tracing::warn!(
            ?hold,
            "mass disappearance: holding {held} of {known} instances not listed in a new session"
        );
    }

    /// The instances that are held, sorted.
    pub(super) fn held_endpoints(&self) -> impl Iterator<Item = &Endpoint> + Clone {
        self.pending.iter().filter(|(_, removal)| removal.held).map(|(endpoint, _)| endpoint)
    }

    pub(super) fn is_held(&self, endpoint: &Endpoint) -> bool {
        self.pending.get(endpoint).is_some_and(|removal| removal.held)
    }

    /// The link is up. Instances could not come back while it was down, so their holds begin again.
    pub(super) fn link_up(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.link_up, true) {
            self.pending.values_mut().for_each(|removal| removal.since = now);
        }
    }

    /// The link is down.
    pub(super) fn link_down(&mut self, now: Instant) {
        if std::mem::replace(&mut self.link_up, false) {
            self.pending.values_mut().for_each(|removal| removal.earlier += now - removal.since);
        }
    }

    /// When [`take_due`](Self::take_due) is due next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.pending.values().map(|removal| removal.due(self.settle, self.hold)).min()
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn held(&self) -> usize {
        self.held_endpoints().count()
    }

    pub(super) fn total_held(&self) -> u64 {
        self.total_held
    }

    fn changed(&mut self, endpoint: &Endpoint, came: bool, now: Instant) {
        if let Some(then) = now.checked_sub(self.rule.window() + self.settle) {
            self.history.forget_before(then);
        }
        self.history.changed(endpoint, came, now);
    }
}

impl Removal {
    fn place(&self) -> Place {
        match self {
            Self { held: true, .. } => Place::Held,
            Self { was_draining: true, .. } => Place::Draining,
            Self { .. } => Place::Settling,
        }
    }

    fn hold(&mut self, on: On) {
        arrow(self.place(), on, || Place::Held);
        self.held = true;
    }

    /// Whether it says nothing about others, and nothing is to be decided but the moment: a hold that is over counts no more,
    /// as its removals are old, and a draining instance has said that it leaves.
    fn is_explained(&self) -> bool {
        self.held || self.was_draining
    }

    /// When the removal is believed.
    fn due(&self, settle: Duration, hold: Duration) -> Instant {
        let wait = if self.held { hold.min((hold * MAX_HOLDS).saturating_sub(self.earlier)) } else { settle };
        self.since + wait
    }
}
