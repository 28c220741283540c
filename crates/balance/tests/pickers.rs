//! Pickers of users, what they see, and what they cannot break.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use balance::{
    Balancer, BalancerConfig, Candidates, Context, EndpointInfo, EntryChange, Failure, PickError, Picker,
};
use balance::{Random, Reader, Rng, Strategy, StrategyPicker, stable_hash};
use proptest::prelude::*;
use proptest::strategy::Strategy as Generate;
use support::{Weight, assert_law, config, count};

/// Proposes what its function says.
#[derive(Clone, Debug)]
struct Says(fn(usize, &mut Rng) -> Option<usize>);

impl<K, V> Picker<K, V> for Says {
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        (self.0)(candidates.len(), context.rng)
    }
}

fn balancer(config: BalancerConfig, size: usize) -> Balancer<usize, Weight> {
    let balancer = Balancer::new(config);
    balancer.update((0..size).map(|key| (key, Weight(100))));
    balancer
}

/// Pickers that propose nobody, or nobody who is there.
const USELESS: [Says; 4] = [
    Says(|_, _| None),
    Says(|len, _| Some(len)),
    Says(|_, _| Some(usize::MAX)),
    Says(|len, rng| (rng.unit() < 0.5).then_some(len + 1)),
];

#[test]
fn a_picker_that_proposes_nobody_is_random() {
    for size in [1, 2, 100] {
        for config in
            [config(Strategy::Random), config(Strategy::Random).with_max_in_flight(1_000_000).unwrap()]
        {
            let balancer = balancer(config, size);
            for picker in USELESS {
                let mut reader = balancer.reader_with(picker.clone());
                let counts = count(size, 5_000, || *reader.choose().unwrap().key());
                assert_law((&picker, size), &counts, &vec![1.0; size]);
                let counts = count(size, 5_000, || *reader.pick().unwrap().key());
                assert_law((&picker, size), &counts, &vec![1.0; size]);
                if size > 1 {
                    let pick = reader.pick_where(|key| *key == size - 1).unwrap();
                    assert_eq!(*pick.key(), size - 1);
                }
            }
        }
    }
}

#[test]
fn a_picker_that_proposes_nobody_gets_the_errors_of_the_others() {
    for picker in USELESS {
        let balancer =
            Balancer::<usize, Weight>::new(config(Strategy::Random).with_max_in_flight(1).unwrap());
        let mut reader = balancer.reader_with(picker);
        assert_eq!(reader.pick().unwrap_err(), PickError::NotSynced);
        balancer.update([(1, Weight(0)); 0]);
        assert_eq!(reader.choose().unwrap_err(), PickError::NoInstances);
        balancer.update([(1, Weight(0))]);
        assert_eq!(reader.choose().unwrap_err(), PickError::AllClosed);
        balancer.update([(1, Weight(1))]);
        assert_eq!(reader.pick_where(|_| false).unwrap_err(), PickError::AllExcluded);
        let call = reader.pick().unwrap();
        assert_eq!(reader.pick().unwrap_err(), PickError::Saturated);
        drop(call);
        assert_eq!(*reader.pick().unwrap().key(), 1);
    }
}

#[test]
fn a_picker_of_a_user_decides() {
    let balancer = balancer(config(Strategy::Random), 10);
    let mut reader = balancer.reader_with(Says(|len, _| Some(len - 1)));
    let last = *reader.choose().unwrap().key();
    for _ in 0..100 {
        assert_eq!((*reader.choose().unwrap().key(), *reader.pick().unwrap().key()), (last, last));
    }
    // What it proposes may not be used.
    let other = *reader.pick_where(|key| *key != last).unwrap().key();
    assert_ne!(other, last);
}

#[test]
fn every_strategy_finds_the_one_endpoint_that_may_be_used() {
    for strategy in Strategy::ALL {
        for size in [1, 2, 3, 100] {
            let balancer = balancer(config(strategy), size);
            let mut reader = balancer.reader();
            for key in 0..size {
                assert_eq!(*reader.pick_where(|wanted| *wanted == key).unwrap().key(), key, "{strategy}");
            }
        }
    }
}

/// A picker whose every proposal may be used, if one of a few may.
struct Checked(StrategyPicker);

impl<K, V> Picker<K, V> for Checked {
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        let index = self.0.pick(candidates, context);
        assert!(candidates.admits(index.unwrap()), "{:?}", self.0);
        index
    }
}

#[test]
fn of_two_endpoints_the_one_that_may_be_used_is_proposed_at_once_whatever_the_other_costs() {
    for strategy in [Strategy::LeastLoaded, Strategy::PeakEwma] {
        let balancer = balancer(config(strategy), 2);
        let mut reader = balancer.reader_with(Checked(strategy.picker()));
        for wanted in [0, 1] {
            // The other one is idle.
            let calls = (0..20).map(|_| reader.pick_where(|key| *key == wanted).unwrap());
            let calls: Vec<_> = calls.collect();
            assert!(calls.iter().all(|call| *call.key() == wanted));
        }
    }
}

#[test]
fn only_weighted_needs_records() {
    let needing: Vec<_> = Strategy::ALL.into_iter().filter(|strategy| strategy.needs_records()).collect();
    assert_eq!(needing, [Strategy::Weighted]);
}

#[test]
fn a_strategy_says_what_its_picker_says_of_itself() {
    let says = |strategy: Strategy| {
        let picker = strategy.picker();
        let of = |picker: &dyn Picker<usize, ()>| (picker.measures_latency(), picker.is_by_key());
        of(&picker)
    };
    assert_eq!(says(Strategy::PeakEwma), (true, false));
    assert_eq!(says(Strategy::Rendezvous), (false, true));
    assert_eq!(says(Strategy::Sticky), (false, true));
    assert_eq!(says(Strategy::LeastLoaded), (false, false));
    assert_eq!(says(Strategy::Random), (false, false));
}

/// A value with all that moves an endpoint from one place to another.
#[derive(Clone, Copy, Debug)]
struct Instance {
    weight: u32,
    is_draining: bool,
    is_held: bool,
    zone: bool,
}

impl EndpointInfo for Instance {
    fn weight(&self) -> u32 {
        self.weight
    }
    fn tag(&self, name: &str) -> Option<&str> {
        (name == "zone" && self.zone).then_some("here")
    }
    fn is_draining(&self) -> bool {
        self.is_draining
    }
    fn is_held(&self) -> bool {
        self.is_held
    }
}

/// Compares what it sees with the entries; then it picks at random.
struct Audit;

impl<V: EndpointInfo> Picker<u8, V> for Audit {
    fn pick(&mut self, candidates: &Candidates<'_, u8, V>, context: &mut Context<'_>) -> Option<usize> {
        let entries: Vec<_> = candidates.iter().collect();
        let (len, one) = (candidates.len(), |index: usize| entries[index]);
        assert!(len > 0 && entries.len() == len && candidates.hashes().count() == len);
        for (index, hash) in candidates.hashes().enumerate() {
            assert_eq!(hash, stable_hash(one(index).key()));
            assert_eq!((candidates.hash(index), one(index).hash()), (Some(hash), hash));
            assert!(std::ptr::eq(candidates.get(index).unwrap(), one(index)));
            assert_eq!(one(index).weight(), one(index).value().weight());
        }
        assert!(
            candidates.get(len).is_none()
                && candidates.hash(len).is_none()
                && candidates.hash(usize::MAX).is_none()
        );
        let (mut end, mut total) = (0, 0);
        for class in candidates.weight_classes() {
            assert_eq!(class.indices.start, end);
            let weights = class.indices.clone().map(|index| u64::from(one(index).weight()));
            assert!(weights.clone().all(|weight| weight < class.below && weight >= class.below / 2));
            assert_eq!(class.total, weights.sum::<u64>());
            (end, total) = (class.indices.end, total + class.total);
        }
        assert_eq!((end, total), (len, candidates.total_weight()));
        Random.pick(candidates, context)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, Instance),
    Remove(u8),
    Fail(u8, Failure),
    Advance,
}

fn step() -> impl Generate<Value = Step> {
    let weight = prop_oneof![Just(0), 1..10_u32, Just(100), Just(127), Just(128), Just(u32::MAX)];
    let rarely = || prop::bool::weighted(0.1);
    let instance = (weight, rarely(), rarely(), any::<bool>())
        .prop_map(|(weight, is_draining, is_held, zone)| Instance { weight, is_draining, is_held, zone });
    let failure = prop_oneof![Just(Failure::Refused), Just(Failure::Timeout)];
    prop_oneof![
        4 => (0..24_u8, instance).prop_map(|(key, instance)| Step::Insert(key, instance)),
        1 => (0..24_u8).prop_map(Step::Remove),
        2 => (0..24_u8, failure).prop_map(|(key, failure)| Step::Fail(key, failure)),
        1 => Just(Step::Advance),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_picker_sees_the_set_as_it_is_through_all_changes(
        panic_threshold in prop_oneof![Just(0.0), Just(0.5)],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let config = config(Strategy::Random).with_zone("zone", "here").with_panic_threshold(panic_threshold).unwrap();
        let balancer = Balancer::<u8, Instance>::new(config);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut reader = balancer.reader_with(Audit);
            let mut model = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Insert(key, instance) => {
                        model.insert(key, instance);
                        balancer.apply([EntryChange::Insert(key, instance)]);
                    }
                    Step::Remove(key) => {
                        model.remove(&key);
                        balancer.apply([EntryChange::Remove(key)]);
                    }
                    Step::Fail(key, failure) => {
                        if let Ok(pick) = reader.pick_where(|wanted| *wanted == key) {
                            pick.fail(failure);
                        }
                    }
                    Step::Advance => tokio::time::advance(Duration::from_millis(300)).await,
                }
                check(&mut reader, &model);
            }
        });
    }
}

/// Somebody is picked if anybody may be.
fn check(reader: &mut Reader<u8, Instance, Audit>, model: &BTreeMap<u8, Instance>) {
    let is_open = |instance: &Instance| instance.weight > 0 && !instance.is_draining;
    match reader.choose() {
        Ok(entry) => assert!(model.get(entry.key()).is_some_and(is_open)),
        Err(error) => assert!(!model.values().any(is_open), "{error}"),
    }
    // And every tier is looked at.
    reader.pick_where(|_| false).unwrap_err();
}
