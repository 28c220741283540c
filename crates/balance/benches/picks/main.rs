//! What a pick costs, beside a floor that is written by hand and does the same with nothing around it, and what a change of
//! the set costs: `cargo bench -p balance`, on a machine that does nothing else.
//!
//! Floor and balancer take turns in short slices, so that a disturbance hits both; the figures are medians of the slices, and the
//! minima behind them in brackets. `cargo bench -p balance -- quick` makes fewer of them.

#![allow(clippy::unwrap_used, reason = "a bench may panic")]

mod changes;
mod floor;
mod timing;

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use balance::{Balancer, BalancerConfig, Candidates, Context, EntryChange, Picker, Reader, Strategy};

use floor::Floor;
use timing::{Batch, scaling, side_by_side};

const SIZES: [usize; 3] = [3, 10_000, 100_000];

fn main() {
    let slices = if std::env::args().any(|arg| arg == "quick") { 100 } else { 1000 };
    println!("nanoseconds a pick {:32} floor              balancer           difference or ratio", "");
    for size in SIZES {
        choosing(size, slices);
        guarded(size, slices);
    }
    println!("\nspeed of each of two threads, relative to one thread: median (best)");
    for size in SIZES {
        two_threads(size, slices / 10);
    }
    println!("\nmicroseconds until the next pick sees a change, and bytes an endpoint");
    for size in [10, 10_000, 100_000] {
        changes::measure(size, slices);
    }
}

/// Any address, for each number.
fn address(number: usize) -> SocketAddr {
    let number = u32::try_from(number).unwrap();
    SocketAddr::from((number.to_be_bytes(), 80))
}

fn balancer(size: usize, strategy: Strategy) -> Balancer<SocketAddr, ()> {
    with(BalancerConfig::new(strategy), size)
}

fn with(config: BalancerConfig, size: usize) -> Balancer<SocketAddr, ()> {
    let balancer = Balancer::new(config.with_seed(1));
    balancer.update((0..size).map(|number| (address(number), ())));
    balancer
}

/// Bare picks. Random ones are within 3 ns of the floor, and so are those of round robin.
fn choosing(size: usize, slices: usize) {
    let floor = Floor::new((0..size).map(address));
    let mut random = floor.reader(1);
    let mut next = floor.reader(1);
    let ours = balancer(size, Strategy::Random);
    let compared = side_by_side(slices, &mut |n| random_floor(&mut random, n), &mut bare(ours.reader()));
    println!("choose, random      N = {size:>7}: {compared}");
    let reads_floor = &mut |n| {
        for _ in 0..n {
            black_box(random.random().copied());
        }
    };
    let mut reader = ours.reader();
    let reads = &mut |n| {
        for _ in 0..n {
            black_box(reader.choose().ok().map(|entry| *entry.key()));
        }
    };
    println!("  and read the key  N = {size:>7}: {}", side_by_side(slices, reads_floor, reads));
    let ours = balancer(size, Strategy::RoundRobin);
    let next_floor = &mut |n| {
        for _ in 0..n {
            black_box(next.next());
        }
    };
    println!(
        "choose, round robin N = {size:>7}: {}",
        side_by_side(slices, next_floor, &mut bare(ours.reader()))
    );
}

/// Guarded picks: of two choices they take at most 3 times what the floor does.
fn guarded(size: usize, slices: usize) {
    let floor = Floor::new((0..size).map(address));
    // One for both, as the floor is: a second one would lie in what the first one left of the heap.
    let ours = balancer(size, Strategy::LeastLoaded);
    for ends in [End::Drop, End::Succeed] {
        let mut two = floor.reader(1);
        let floor = &mut |n| two_floor(&mut two, n);
        let compared = side_by_side(slices, floor, &mut pick(ours.reader(), ends));
        println!("pick of two, {:7} N = {size:>7}: {compared}", ends.name());
    }
    // The others have no floor of their own.
    let others =
        Strategy::ALL.into_iter().map(|strategy| (strategy.to_string(), BalancerConfig::new(strategy)));
    let limited = BalancerConfig::default().with_max_in_flight(100).unwrap();
    let slow = BalancerConfig::default().with_slow_start(Duration::from_secs(3600)).unwrap();
    let limited = [("random, with a limit".to_owned(), limited), ("random, in slow start".to_owned(), slow)];
    for (name, config) in others.chain(limited) {
        let mut two = floor.reader(1);
        let ours = with(config, size);
        ours.apply([EntryChange::Insert(address(size), ())]);
        let mut reader = ours.reader();
        let mut caller = 0_u64;
        let ours = &mut |n| {
            for _ in 0..n {
                caller += 1;
                let pick = reader.pick_for(&caller).unwrap();
                black_box(&pick);
                pick.succeed();
            }
        };
        let compared = side_by_side(slices, &mut |n| two_floor(&mut two, n), ours);
        println!("  pick_for, {name:22} N = {size:>7}: {compared}");
    }
}

fn two_threads(size: usize, slices: usize) {
    let floor = Floor::new((0..size).map(address));
    let ours = balancer(size, Strategy::Random);
    let floor_random = |number| {
        let mut reader = floor.reader(number);
        Box::new(move |n| random_floor(&mut reader, n)) as Batch
    };
    let choose = |_| Box::new(bare(ours.reader())) as Batch;
    println!("choose, random      N = {size:>7}: {}", scaling(slices, &floor_random, &choose));
    let floor_two = |number| {
        let mut reader = floor.reader(number);
        Box::new(move |n| two_floor(&mut reader, n)) as Batch
    };
    let two = |_| Box::new(pick(ours.reader_with(TwoChoices), End::Succeed)) as Batch;
    println!("pick of two         N = {size:>7}: {}", scaling(slices, &floor_two, &two));
}

fn random_floor(reader: &mut floor::Reader<SocketAddr>, n: u32) {
    for _ in 0..n {
        black_box(reader.random());
    }
}

fn two_floor(reader: &mut floor::Reader<SocketAddr>, n: u32) {
    for _ in 0..n {
        let held = reader.two_choices().unwrap();
        black_box(&held);
    }
}

fn bare<P: Picker<SocketAddr, ()>>(mut reader: Reader<SocketAddr, (), P>) -> impl FnMut(u32) {
    move |n| {
        for _ in 0..n {
            let _ = black_box(reader.choose().map(|entry| entry.key()));
        }
    }
}

#[derive(Clone, Copy)]
enum End {
    Drop,
    Succeed,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Succeed => "succeed",
        }
    }
}

fn pick<P: Picker<SocketAddr, ()>>(mut reader: Reader<SocketAddr, (), P>, end: End) -> impl FnMut(u32) {
    move |n| {
        for _ in 0..n {
            let pick = reader.pick().unwrap();
            black_box(&pick);
            match end {
                End::Drop => drop(pick),
                End::Succeed => pick.succeed(),
            }
        }
    }
}

/// The one of two random endpoints with fewer calls in flight, as the floor does it.
#[derive(Clone, Debug)]
struct TwoChoices;

impl<K, V> Picker<K, V> for TwoChoices {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        let [a, b] = [0; 2].map(|_| context.rng.below(candidates.len()));
        // Not of the entries: they would have to be read.
        Some(if candidates.in_flight(a)? <= candidates.in_flight(b)? { a } else { b })
    }
}
