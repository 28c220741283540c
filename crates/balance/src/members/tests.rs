//! Random runs of the set beside a simple model.

mod model;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use indexmap::IndexMap;
use proptest::prelude::*;
use proptest::sample::Index;

use super::trials::MAX_TRIALS;
use super::{EntryChange, Health, MAX_ABSENT, Members};
use crate::config::BalancerConfig;
use crate::ejection::Ejection;
use crate::endpoint::State;
use crate::entry::{Entry, Reports, Ticket};
use crate::failure::Failure;
use crate::info::EndpointInfo;
use crate::rng::Rng;
use crate::strategy::Strategy as Picking;
use crate::table::{Table, Tier};
use model::{Model, Seen, Why};

/// A value with every fact.
#[derive(Clone, Debug, PartialEq)]
struct Value {
    weight: u32,
    zone: bool,
    label: bool,
    draining: bool,
    held: bool,
    incarnation: Option<u128>,
}

impl EndpointInfo for Value {
    fn weight(&self) -> u32 {
        self.weight
    }
    fn tag(&self, name: &str) -> Option<&str> {
        let has = |is: bool| if is { "here" } else { "elsewhere" };
        match name {
            "zone" => Some(has(self.zone)),
            "label" if self.label => Some("here"),
            _ => None,
        }
    }
    fn incarnation(&self) -> Option<u128> {
        self.incarnation
    }
    fn is_draining(&self) -> bool {
        self.draining
    }
    fn is_held(&self) -> bool {
        self.held
    }
}

/// Takes no reports: here they are made directly.
struct Nobody;

impl Reports<u32> for Nobody {
    fn ms_at(&self, _: tokio::time::Instant) -> u64 {
        unreachable!()
    }
    fn failed(&self, _: &u32, _: &Arc<State>, _: u16, _: Failure, _: Duration) {}
    fn recovered(&self, _: &u32, _: &Arc<State>, _: Ticket) {}
    fn failed_again(&self, _: &u32, _: &Arc<State>, _: Ticket, _: Failure, _: Duration) {}
    fn gave_up(&self, _: &u32, _: &Arc<State>, _: Ticket) {}
}

fn members<V: EndpointInfo>(config: &BalancerConfig) -> Members<u32, V> {
    Members::new(Arc::new(config.clone()), Weak::<Nobody>::new(), Rng::new(1))
}

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<(u32, Option<Value>)>),
    Replace(Vec<(u32, Value)>),
    Pass(u64),
    /// Picks one of those that a reader may pick.
    Pick(Index),
    /// Asks for the trial of an endpoint that is not in the mask.
    Try {
        not: u16,
    },
    Settle(Index, Report),
}

#[derive(Clone, Copy, Debug)]
enum Report {
    Succeed,
    Fail(Failure, u64),
    Drop,
}

/// So many endpoints that there are more to try than trials.
const KEYS: u32 = 12;

fn value() -> impl Strategy<Value = Value> {
    let often = |is: bool| prop::bool::weighted(if is { 0.85 } else { 0.15 });
    let weight = prop_oneof![1 => Just(0), 8 => Just(100), 4 => 1..5_u32, 1 => Just(u32::MAX)];
    let incarnation = prop_oneof![2 => Just(None), 3 => (0..2_u128).prop_map(Some)];
    (weight, any::<bool>(), often(true), often(false), often(false), incarnation).prop_map(
        |(weight, zone, label, draining, held, incarnation)| Value {
            weight,
            zone,
            label,
            draining,
            held,
            incarnation,
        },
    )
}

fn report() -> impl Strategy<Value = Report> {
    let took = prop_oneof![4 => Just(0), 1 => 0..20_000_u64];
    prop_oneof![
        3 => Just(Report::Succeed),
        6 => (prop::sample::select(&Failure::ALL[..]), took).prop_map(|(failure, took)| Report::Fail(failure, took)),
        1 => Just(Report::Drop),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let change = (0..KEYS, prop::option::weighted(0.75, value()));
    let time = prop_oneof![
        4 => 0..300_u64,
        4 => 300..3000_u64,
        2 => 5000..12_000_u64,
        1 => Just(30_000),
        1 => prop_oneof![Just(60_000), Just(60_001)],
    ];
    prop_oneof![
        3 => prop::collection::vec(change, 0..4).prop_map(Step::Apply),
        1 => prop::collection::vec((0..KEYS, value()), 0..16).prop_map(Step::Replace),
        4 => time.prop_map(Step::Pass),
        8 => any::<Index>().prop_map(Step::Pick),
        3 => prop_oneof![Just(0), any::<u16>()].prop_map(|not| Step::Try { not }),
        8 => (any::<Index>(), report()).prop_map(|(index, report)| Step::Settle(index, report)),
    ]
}

fn config() -> impl Strategy<Value = BalancerConfig> {
    let ejection = (1..4_u32, 1..6_u32, prop::sample::select(&[0.1, 0.5, 1.0][..]), 0..3_u32, any::<bool>());
    let ejection = ejection.prop_map(|(hard, soft, share, max_share, is_long)| {
        let cap = Duration::from_secs(if is_long { 10 } else { 1 });
        let ejection = Ejection::default().with_consecutive(hard, soft).unwrap();
        let ejection = ejection.with_failure_share(share).unwrap();
        let ejection = ejection.with_max_share(f64::from(max_share) / 2.0).unwrap();
        ejection.with_times(Duration::from_millis(200), cap).unwrap()
    });
    let panic_threshold = prop::sample::select(&[0.0, 0.0, 0.5, 1.0][..]);
    let subset = prop::option::of(1..4_usize);
    (ejection, any::<bool>(), any::<bool>(), subset, panic_threshold, any::<bool>()).prop_map(
        |(ejection, has_zone, has_label, subset, panic_threshold, is_slow)| {
            let mut config = BalancerConfig::new(Picking::Random).with_ejection(ejection);
            if has_zone {
                config = config.with_zone("zone", "here");
            }
            if has_label {
                config = config.with_label("label", "here");
            }
            if let Some(size) = subset {
                config = config.with_subset(size, "me").unwrap();
            }
            if is_slow {
                config = config.with_slow_start(Duration::from_secs(5)).unwrap();
            }
            config.with_panic_threshold(panic_threshold).unwrap()
        },
    )
}

/// A call that is under way, as the set and the model know it.
struct Call {
    entry: Arc<Entry<u32, Value>>,
    ticket: Ticket,
    process: usize,
    why: Why,
}

/// The set and the model, side by side.
struct Run {
    members: Members<u32, Value>,
    model: Model,
    /// What readers see: the last table that was published.
    table: Table<u32, Value>,
    now: u64,
    calls: Vec<Call>,
}

/// Starts the trial of the wanted endpoint that has waited longest, as the balancer does.
fn try_first<V: EndpointInfo>(
    members: &mut Members<u32, V>,
    wanted: impl Fn(u32) -> bool,
    now: u64,
) -> Option<(Arc<Entry<u32, V>>, Ticket)> {
    let mut place = None;
    loop {
        let (at, entry) = members.known.next_due(place, now)?;
        if wanted(*entry.key()) {
            return members.known.start_trial(entry.key(), &entry.state, now, Duration::ZERO);
        }
        place = Some(at);
    }
}

impl Run {
    fn new(config: &BalancerConfig) -> Self {
        let model = Model::new(config.clone(), Rng::new(1));
        Self { members: members(config), model, table: Table::default(), now: 0, calls: vec![] }
    }

    fn make(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Apply(changes) => {
                let change = |(key, value): (u32, Option<Value>)| match value {
                    Some(value) => EntryChange::Insert(key, value),
                    None => EntryChange::Remove(key),
                };
                self.members.apply(changes.iter().cloned().map(change), self.now);
                self.model.apply(changes, self.now);
            }
            Step::Replace(set) => {
                self.members.replace(set.iter().cloned().collect(), self.now);
                let last: BTreeMap<_, _> = set.into_iter().collect();
                let kept = self.model.listed.iter().map(|(key, ..)| *key);
                let gone: Vec<_> =
                    kept.filter(|key| !last.contains_key(key)).map(|key| (key, None)).collect();
                let set = last.into_iter().map(|(key, value)| (key, Some(value)));
                self.model.apply(gone.into_iter().chain(set).collect(), self.now);
            }
            Step::Pass(ms) => self.now += ms,
            Step::Pick(index) => self.pick(index)?,
            Step::Try { not } => self.start_trial(not)?,
            Step::Settle(index, report) if !self.calls.is_empty() => {
                let at = index.index(self.calls.len());
                let call = self.calls.swap_remove(at);
                self.settle(&call, report)?;
            }
            Step::Settle(..) => {}
        }
        self.compare()
    }

    fn pick(&mut self, index: Index) -> Result<(), TestCaseError> {
        let slots: Vec<_> = self.table.tiers.iter().flat_map(Tier::slots).collect();
        if slots.is_empty() {
            return Ok(());
        }
        let entry = Arc::clone(index.get(&slots).entry);
        let pick =
            crate::pick::Pick::of(crate::pick::Pick::count(crate::table::Row::new(&entry).slot()), None);
        let ticket = pick.ticket();
        let found = self.model.listed.iter().find(|(key, ..)| key == entry.key());
        let (_, _, process) = found.expect("it is in the set");
        let why = match (ticket, &process.out) {
            (Ticket::InService { .. }, None) => Why::InService { turns: process.turns },
            (Ticket::LastResort { .. }, Some(_)) => Why::LastResort { turns: process.turns },
            _ => return Err(TestCaseError::fail(format!("{ticket:?} for {process:?}"))),
        };
        self.calls.push(Call { ticket, process: process.id, why, entry });
        Ok(())
    }

    fn start_trial(&mut self, not: u16) -> Result<(), TestCaseError> {
        let wanted = |key: u32| not >> key & 1 == 0;
        let trial = try_first(&mut self.members, wanted, self.now);
        self.model.expire(self.now);
        let due = self.model.longest_waiting(wanted, self.now).filter(|_| self.model.running() < 8);
        prop_assert_eq!(trial.is_some(), due.is_some());
        let Some((entry, ticket)) = trial else { return Ok(()) };
        let Ticket::Trial { number } = ticket else { return Err(TestCaseError::fail("no trial")) };
        prop_assert!(wanted(*entry.key()));
        let (_, _, process) =
            self.model.listed.iter_mut().find(|(key, ..)| key == entry.key()).expect("it is in the set");
        let out = process.out.as_mut().expect("it is out of service");
        prop_assert_eq!((Some(out.due), out.trial), (due, None));
        out.trial = Some((number, self.now + 30_000));
        out.trials.push(number);
        self.calls.push(Call { process: process.id, why: Why::Trial { number }, entry, ticket });
        Ok(())
    }

    fn settle(&mut self, call: &Call, report: Report) -> Result<(), TestCaseError> {
        let (key, state, now) = (call.entry.key(), &call.entry.state, self.now);
        match (report, call.ticket) {
            (Report::Succeed, ticket) => {
                match ticket {
                    Ticket::InService { generation } => state.outcomes.record_success(generation),
                    ticket => _ = self.members.known.recovered(key, state, ticket, now),
                }
                self.model.succeed(*key, call.process, call.why, now);
            }
            (Report::Fail(failure, took), ticket) => {
                let took = Duration::from_millis(took);
                let ejected = match ticket {
                    Ticket::InService { generation } => {
                        self.members.known.failed(key, state, generation, failure, took, now)
                    }
                    ticket => self.members.known.failed_again(key, state, ticket, failure, took, now),
                };
                let expected = self.model.fail(*key, call.process, call.why, failure, took, now);
                prop_assert_eq!(ejected, expected);
            }
            (Report::Drop, Ticket::Trial { number }) => {
                self.members.known.gave_up(key, state, call.ticket, now);
                self.model.drop_trial(*key, call.process, number, now);
            }
            (Report::Drop, _) => {}
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let is_changed = self.members.take_changed();
        if is_changed {
            self.table = self.members.table(self.now);
            prop_assert_eq!(self.table.slow_until_ms, self.model.slow_until(self.now));
        }
        prop_assert_eq!(seen(&self.table)?, self.model.seen());
        let healths = self.members.healths(self.now);
        let healths: BTreeMap<_, _> = healths.map(|(entry, health, n)| (*entry.key(), (health, n))).collect();
        prop_assert_eq!(healths, self.model.healths(self.now));
        prop_assert_eq!(self.members.known.out(), self.model.out());
        prop_assert_eq!(self.members.known.next_trial_ms(), self.model.next_trial());
        let since =
            |entry: &Entry<_, _>| entry.state.newcomer_since_ms.load(std::sync::atomic::Ordering::Relaxed);
        let newcomers = self.members.healths(self.now).map(|(entry, ..)| (*entry.key(), since(entry)));
        let expected = self.model.listed.iter().map(|(key, _, process)| (*key, process.newcomer_since));
        prop_assert_eq!(newcomers.collect::<BTreeMap<_, _>>(), expected.collect());
        self.members.known.listed.check();
        Ok(())
    }
}

/// What readers see, after a look at what they count on.
fn seen(table: &Table<u32, Value>) -> Result<Seen, TestCaseError> {
    let mut tiers = vec![];
    for tier in &table.tiers {
        let mut entries = BTreeMap::new();
        for class in tier.classes() {
            prop_assert!(class.slots.len() > 0);
            for slot in class.slots.iter() {
                let (entry, weight) = (slot.entry, u64::from(slot.entry.weight()));
                prop_assert!(class.below / 2 <= weight && weight < class.below, "{} {}", weight, class.below);
                prop_assert_eq!(slot.hash, entry.hash());
                prop_assert_eq!(entries.insert(*entry.key(), entry.value().clone()), None);
            }
        }
        prop_assert_eq!(tier.len, entries.len());
        prop_assert!((0..tier.len).all(|index| tier.slot(index).is_some()));
        tiers.push((tier.standing, entries));
    }
    let facts = table.facts;
    Ok((tiers, table.spill, (facts.is_synced, facts.listed, facts.mismatched)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_set_is_what_a_simple_model_of_it_is(
        config in config(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut run = Run::new(&config);
        for step in steps {
            run.make(step)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// The same with a set that is never small, in which nearly everything fails, so that there are many ejections and trials.
    #[test]
    fn trials_are_those_of_a_simple_model(
        failures in prop::collection::vec((any::<Index>(), prop::sample::select(&Failure::ALL[..])), 12..24),
        steps in prop::collection::vec(step(), 40..100),
    ) {
        let mut run = Run::new(&BalancerConfig::default());
        let whole = |incarnation| Value {
            weight: 100, zone: true, label: true, draining: false, held: false, incarnation,
        };
        run.make(Step::Replace((0..KEYS).map(|key| (key, whole(None))).collect()))?;
        for (index, failure) in failures {
            run.make(Step::Pick(index))?;
            run.make(Step::Settle(index, Report::Fail(failure, 0)))?;
        }
        // As many trials as there may be, if so many endpoints are out of service.
        run.make(Step::Pass(13_000))?;
        for _ in 0..KEYS {
            run.make(Step::Try { not: 0 })?;
        }
        for step in steps {
            if !matches!(step, Step::Replace(_)) {
                run.make(step)?;
            }
        }
    }
}

#[test]
fn only_so_many_absent_endpoints_are_remembered_and_those_that_left_first_are_forgotten_first() {
    let mut members = members::<()>(&BalancerConfig::default());
    let more = MAX_ABSENT as u32 + 2;
    members.replace((0..=more).map(|key| (key, ())).collect(), 0);
    for index in 0..=more {
        fail(&mut members, index, Failure::Timeout, 1);
    }
    assert_eq!(members.known.out(), more as usize + 1);
    (0..more).for_each(|key| members.apply([EntryChange::Remove(key)], 2));
    members.apply((0..more).map(|key| EntryChange::Insert(key, ())), 3);
    let healths = members.healths(3).map(|(entry, health, _)| (*entry.key(), health));
    let forgotten: Vec<_> = healths.filter(|(_, health)| *health == Health::InService).collect();
    assert_eq!(forgotten, [(0, Health::InService), (1, Health::InService)]);
}

fn fail<V: EndpointInfo>(members: &mut Members<u32, V>, key: u32, failure: Failure, now_ms: u64) {
    let entry = Arc::clone(members.healths(now_ms).nth(key as usize).unwrap().0);
    let generation = entry.state.outcomes.generation();
    assert!(members.known.failed(entry.key(), &entry.state, generation, failure, Duration::ZERO, now_ms));
}

#[test]
fn a_trial_that_nobody_settles_leaves_its_place_to_others_that_have_waited_longer() {
    let mut members = members::<()>(&BalancerConfig::default());
    members.replace((0..20).map(|key| (key, ())).collect(), 0);
    (0..20).for_each(|key| fail(&mut members, key, Failure::Timeout, 0));
    let trials = |members: &mut Members<u32, ()>, now_ms| -> Vec<u32> {
        std::iter::from_fn(|| try_first(members, |_| true, now_ms)).map(|(entry, _)| *entry.key()).collect()
    };
    let first = trials(&mut members, 1000);
    assert_eq!(first.len(), MAX_TRIALS);
    // No pick takes the lock before one of them is over.
    assert_eq!(members.known.next_trial_ms(), Some(31_000));
    assert_eq!(trials(&mut members, 30_999), []);
    let second = trials(&mut members, 31_000);
    assert_eq!(second.len(), MAX_TRIALS);
    assert!(second.iter().all(|key| !first.contains(key)), "{first:?} {second:?}");
}

#[test]
fn a_trial_that_is_given_up_lets_others_have_theirs() {
    let mut members = members::<()>(&BalancerConfig::default());
    members.replace((0..3).map(|key| (key, ())).collect(), 0);
    (0..3).for_each(|key| fail(&mut members, key, Failure::Timeout, 0));
    let mut tried = std::collections::BTreeSet::new();
    for now_ms in 1000..1003 {
        let (entry, ticket) = try_first(&mut members, |_| true, now_ms).unwrap();
        tried.insert(*entry.key());
        members.known.gave_up(entry.key(), &entry.state, ticket, now_ms);
    }
    assert_eq!(tried.len(), 3);
}

#[test]
fn a_failure_as_a_last_resort_does_not_end_the_trial_that_is_under_way() {
    let mut members = members::<()>(&BalancerConfig::default());
    members.replace(IndexMap::from([(0, ())]), 0);
    fail(&mut members, 0, Failure::Timeout, 0);
    let (entry, trial) = try_first(&mut members, |_| true, 1000).unwrap();
    let last_resort = Ticket::LastResort { generation: entry.state.outcomes.generation() };
    members.known.failed_again(&0, &entry.state, last_resort, Failure::Refused, Duration::ZERO, 1001);
    assert!(try_first(&mut members, |_| true, 1002).is_none());
    assert!(members.known.recovered(&0, &entry.state, trial, 1003));
}

#[test]
fn a_trial_survives_a_short_absence_and_its_report_counts() {
    let mut members = members::<()>(&BalancerConfig::default());
    members.replace(IndexMap::from([(0, ()), (1, ())]), 0);
    fail(&mut members, 0, Failure::Timeout, 0);
    let (entry, trial) = try_first(&mut members, |_| true, 1000).unwrap();
    members.apply([EntryChange::Remove(0)], 1001);
    assert_eq!(members.known.next_trial_ms(), None);
    members.apply([EntryChange::Insert(0, ())], 1002);
    assert!(try_first(&mut members, |_| true, 1003).is_none(), "there is one trial at a time");
    members.apply([EntryChange::Remove(0)], 1004);
    assert!(members.known.recovered(&0, &entry.state, trial, 1005));
    members.apply([EntryChange::Insert(0, ())], 1006);
    assert_eq!(members.known.out(), 0);
}

#[test]
fn a_report_that_changes_nothing_makes_no_new_table() {
    let mut members = members::<()>(&BalancerConfig::default());
    members.replace(IndexMap::from([(0, ()), (1, ())]), 0);
    assert!(members.take_changed());
    let entry = Arc::clone(members.healths(0).next().unwrap().0);
    let generation = entry.state.outcomes.generation();
    assert!(!members.known.failed(&0, &entry.state, generation, Failure::Overloaded, Duration::ZERO, 1));
    assert!(!members.take_changed());
    fail(&mut members, 0, Failure::Timeout, 2);
    assert!(members.take_changed());
    let (entry, trial) = try_first(&mut members, |_| true, 1000).unwrap();
    members.known.gave_up(&0, &entry.state, trial, 1001);
    assert!(!members.take_changed());
}

#[test]
fn an_endpoint_that_is_not_to_be_called_waits_for_no_trial() {
    let mut members = members(&BalancerConfig::default());
    let value =
        |draining| Value { weight: 100, zone: true, label: true, draining, held: false, incarnation: None };
    members.replace(IndexMap::from([(0, value(false)), (1, value(false))]), 0);
    fail(&mut members, 0, Failure::Timeout, 0);
    members.apply([EntryChange::Insert(0, value(true))], 1);
    assert_eq!(members.known.next_trial_ms(), None);
    assert!(try_first(&mut members, |_| true, 1000).is_none());
    assert_eq!(members.known.out(), 1);
    members.apply([EntryChange::Insert(0, value(false))], 2000);
    assert_eq!(*try_first(&mut members, |_| true, 2000).unwrap().0.key(), 0);
}

#[test]
fn one_change_among_a_hundred_thousand_copies_a_chunk_and_no_set() {
    const N: u32 = 100_000;
    let mut members = members::<()>(&BalancerConfig::default());
    members.replace((0..N).map(|key| (key, ())).collect(), 0);
    let chunks =
        |table: &Table<u32, ()>| -> usize { table.tiers.iter().map(|tier| tier.len.div_ceil(256)).sum() };
    let copied = |before: &Table<u32, ()>, after: &Table<u32, ()>| {
        let all = |table: &Table<u32, ()>| -> std::collections::BTreeSet<_> {
            table.tiers.iter().flat_map(Tier::classes).flat_map(|class| class.slots.addresses()).collect()
        };
        all(after).difference(&all(before)).count()
    };
    let mut before = members.table(0);
    assert!(chunks(&before) > 300);
    // One that comes, one that changes, one that leaves (and the last one takes its place), one that is ejected (so, too, and a
    // tier begins), and one more.
    for (change, at_most) in
        [(EntryChange::Insert(N, ()), 1), (EntryChange::Insert(7, ()), 1), (EntryChange::Remove(50_000), 2)]
    {
        members.apply([change], 1);
        let after = members.table(1);
        assert!((1..=at_most).contains(&copied(&before, &after)), "{}", copied(&before, &after));
        before = after;
    }
    for key in [30_000, 60_000] {
        fail(&mut members, key, Failure::Timeout, 2);
        let after = members.table(2);
        assert!((1..=3).contains(&copied(&before, &after)), "{}", copied(&before, &after));
        before = after;
    }
}
