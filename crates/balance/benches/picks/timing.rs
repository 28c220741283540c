//! Measures two things in turns.

use std::fmt;
use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// About how long a slice takes: short, so that few are interrupted.
const SLICE: Duration = Duration::from_micros(200);

/// For how long threads run side by side.
const LONG_SLICE: Duration = Duration::from_millis(2);

/// Does something so many times.
pub(crate) type Batch<'a> = Box<dyn FnMut(u32) + Send + 'a>;

/// Nanoseconds each time.
pub(crate) struct Compared {
    floor: Figure,
    ours: Figure,
}

struct Figure {
    median: f64,
    min: f64,
}

impl Figure {
    fn new(mut figures: Vec<f64>) -> Self {
        Self { median: median(&mut figures), min: figures[0] }
    }
}

/// Runs both in turns, in so many slices each.
pub(crate) fn side_by_side(slices: usize, floor: &mut dyn FnMut(u32), ours: &mut dyn FnMut(u32)) -> Compared {
    let (floor_times, our_times) = (times_a_slice(floor), times_a_slice(ours));
    let (floor, ours) = (0..slices).map(|_| (nanos(floor, floor_times), nanos(ours, our_times))).unzip();
    Compared { floor: Figure::new(floor), ours: Figure::new(ours) }
}

/// How often it is done in a slice.
fn times_a_slice(batch: &mut dyn FnMut(u32)) -> u32 {
    let mut times = 1;
    loop {
        let began = Instant::now();
        batch(times);
        if began.elapsed() >= SLICE {
            return times;
        }
        times *= 2;
    }
}

fn nanos(batch: &mut dyn FnMut(u32), times: u32) -> f64 {
    let began = Instant::now();
    batch(times);
    began.elapsed().as_nanos() as f64 / f64::from(times)
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { floor, ours } = self;
        write!(f, "{:7.1} ({:7.1})  {:7.1} ({:7.1})", floor.median, floor.min, ours.median, ours.min)?;
        write!(f, "  {:+6.1}  x {:.2}", ours.median - floor.median, ours.median / floor.median)
    }
}

/// How fast each of two threads is, relative to one thread alone.
pub(crate) struct Scaling {
    floor: Relative,
    ours: Relative,
}

struct Relative {
    median: f64,
    /// The best speeds of two threads and of one.
    best: f64,
}

/// Runs each with one thread and with two, in turns.
pub(crate) fn scaling<'a>(
    slices: usize,
    floor: &(dyn Fn(u64) -> Batch<'a> + Sync),
    ours: &(dyn Fn(u64) -> Batch<'a> + Sync),
) -> Scaling {
    let pair = |subject| (speed(1, subject), speed(2, subject));
    let (floor, ours): (Vec<_>, Vec<_>) = (0..slices).map(|_| (pair(floor), pair(ours))).unzip();
    Scaling { floor: Relative::new(&floor), ours: Relative::new(&ours) }
}

impl Relative {
    fn new(speeds: &[(f64, f64)]) -> Self {
        let mut relative: Vec<f64> = speeds.iter().map(|(one, two)| two / one).collect();
        let (one, two) =
            speeds.iter().fold((0.0_f64, 0.0_f64), |best, speed| (best.0.max(speed.0), best.1.max(speed.1)));
        Self { median: median(&mut relative), best: two / one }
    }
}

/// How often it is done in a nanosecond, by each of so many threads.
fn speed<'a>(threads: u64, subject: &(dyn Fn(u64) -> Batch<'a> + Sync)) -> f64 {
    let ready = &AtomicU64::new(0);
    let work = move |number| {
        let mut batch = subject(number);
        batch(1000);
        // Not a barrier that sleeps: the second one would wake up when the first has done its part, alone.
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < threads {
            hint::spin_loop();
        }
        let (began, mut times) = (Instant::now(), 0);
        while began.elapsed() < LONG_SLICE {
            batch(1000);
            times += 1000;
        }
        f64::from(times) / began.elapsed().as_nanos() as f64
    };
    let speeds: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    speeds.iter().sum::<f64>() / speeds.len() as f64
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { floor, ours } = self;
        write!(f, "floor {:.3} ({:.3})", floor.median, floor.best)?;
        write!(f, ", balancer {:.3} ({:.3})", ours.median, ours.best)?;
        let percent = |ours: f64, floor: f64| (ours / floor - 1.0) * 100.0;
        write!(f, ": {:+.1} % ({:+.1} %)", percent(ours.median, floor.median), percent(ours.best, floor.best))
    }
}

/// Sorts them.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
