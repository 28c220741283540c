//! A pick in service allocates nothing, whatever stands in its way.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use balance::{Balancer, BalancerConfig, EndpointInfo, EntryChange, Failure, Reader, Strategy};

/// More than the picks that a trial takes its turn with.
const ROUNDS: usize = 50;

/// A set in which only the first few are in zone `a`, with weights in many classes.
struct Server {
    weight: u32,
    zone: &'static str,
}

impl Server {
    fn new(number: usize, size: usize) -> Self {
        let weight = 1 + u32::try_from(number).unwrap() * 7 % 1000;
        Self { weight, zone: if number < zone_size(size) { "a" } else { "b" } }
    }
}

fn zone_size(size: usize) -> usize {
    2 + size / 1000
}

impl EndpointInfo for Server {
    fn weight(&self) -> u32 {
        self.weight
    }

    fn tag(&self, name: &str) -> Option<&str> {
        (name == "zone").then_some(self.zone)
    }
}

type Picks = Reader<usize, Server>;

fn balancer(config: BalancerConfig, size: usize) -> Balancer<usize, Server> {
    let balancer = Balancer::new(config.with_seed(1));
    balancer.update((0..size).map(|number| (number, Server::new(number, size))));
    balancer
}

/// Every kind of pick, and every report of one that went well.
fn pick_all_ways(reader: &mut Picks) {
    for round in 0..ROUNDS {
        reader.choose().unwrap();
        reader.pick().unwrap().succeed();
        drop(reader.pick().unwrap());
        reader.pick_for(&round).unwrap().succeed();
        let pick = reader.pick_where(|key| key % 3 != 0).unwrap();
        assert_ne!(pick.key() % 3, 0);
        pick.succeed();
    }
}

/// Runs it once, for what is made once, and then counts.
#[track_caller]
fn allocates_nothing(reader: &mut Picks, case: &str, act: impl Fn(&mut Picks)) {
    act(reader);
    let counted = allocation_counter::measure(|| act(reader));
    assert_eq!(counted.count_total, 0, "{case}, {reader:?}");
}

fn every_strategy_and_size(test: impl Fn(Strategy, usize)) {
    for strategy in Strategy::ALL {
        for size in [3, 10_000] {
            test(strategy, size);
        }
    }
}

#[test]
fn allocations_are_counted() {
    let balancer = balancer(BalancerConfig::default(), 3);
    assert!(allocation_counter::measure(|| balancer.update(None::<(usize, Server)>)).count_total > 0);
}

#[tokio::test(start_paused = true)]
async fn no_pick_allocates_where_all_are_in_service() {
    every_strategy_and_size(|strategy, size| {
        let balancer = balancer(BalancerConfig::new(strategy), size);
        allocates_nothing(&mut balancer.reader(), "in service", pick_all_ways);
    });
}

// Time stands still: no ejection ends, and no trial, which may allocate, is due.
#[tokio::test(start_paused = true)]
async fn no_pick_allocates_while_some_are_ejected_and_calls_spill_over_to_other_zones() {
    every_strategy_and_size(|strategy, size| {
        let balancer = balancer(BalancerConfig::new(strategy).with_zone("zone", "a"), size);
        let mut reader = balancer.reader();
        for number in 0..zone_size(size) / 2 {
            reader.pick_where(|key| *key == number).unwrap().fail(Failure::Timeout);
        }
        allocates_nothing(&mut reader, "zone", pick_all_ways);
        if strategy == Strategy::Random {
            let chosen: Vec<usize> = (0..1000).map(|_| *reader.choose().unwrap().key()).collect();
            let stayed = chosen.iter().filter(|number| **number < zone_size(size)).count();
            assert!((500..900).contains(&stayed), "{stayed} of 1000 stayed in the zone");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn no_pick_allocates_during_a_slow_start() {
    let time = std::time::Duration::from_secs(60);
    every_strategy_and_size(|strategy, size| {
        let balancer = balancer(BalancerConfig::new(strategy).with_slow_start(time).unwrap(), size);
        let newcomer = |number| EntryChange::Insert(number, Server::new(number, size));
        balancer.apply((size..size + 3).map(newcomer));
        allocates_nothing(&mut balancer.reader(), "slow start", pick_all_ways);
    });
}

#[tokio::test(start_paused = true)]
async fn no_pick_allocates_at_limits_of_calls_in_flight_nor_does_a_refusal() {
    every_strategy_and_size(|strategy, size| {
        let balancer = balancer(BalancerConfig::new(strategy).with_max_in_flight(2).unwrap(), size);
        let mut reader = balancer.reader();
        let held: Vec<_> = (0..3).map(|_| reader.pick().unwrap()).collect();
        allocates_nothing(&mut reader, "limit", pick_all_ways);
        drop(held);
        if size == 3 {
            let _all: Vec<_> = (0..6).map(|_| reader.pick().unwrap()).collect();
            allocates_nothing(&mut reader, "saturated", |reader| {
                for _ in 0..ROUNDS {
                    reader.pick().unwrap_err();
                    reader.pick_where(|_| false).unwrap_err();
                }
            });
        }
    });
}
