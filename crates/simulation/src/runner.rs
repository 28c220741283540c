//! Runs many seeds, on as many threads as there are processors. Each run has one thread to itself.

mod progress;
mod tally;
mod trial;

use std::num::NonZero;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::generate;
use progress::Progress;

pub use tally::{Failure, Tally};
pub use trial::{Cause, Trial, judge_plan};

/// A run that takes longer than this will never end: virtual time stands still, or a loop does not wait.
const STUCK: Duration = Duration::from_secs(120);

/// How often the progress is looked at.
const GLANCE: Duration = Duration::from_millis(250);

/// Which seeds are run.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// The first one; the others follow it.
    pub first: u64,
    /// At most so many.
    pub count: Option<u64>,
    /// New ones begin for so long.
    pub time: Option<Duration>,
    /// On so many threads; `None`: one for each processor.
    pub threads: Option<NonZero<usize>>,
    /// Whether none begins after a failure.
    pub until_failure: bool,
}

/// What the threads share.
struct Shared {
    seeds: Seeds,
    begun: Instant,
    next: AtomicU64,
    is_over: AtomicBool,
    /// The seed that each thread runs, and since when.
    under_way: Vec<Mutex<Option<(u64, Instant)>>>,
}

/// Runs them, and says on standard error how far it is.
pub fn run_seeds(seeds: Seeds) -> Tally {
    let threads = seeds.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let shared = Arc::new(Shared {
        seeds,
        begun: Instant::now(),
        next: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        under_way: (0..threads).map(|_| Mutex::new(None)).collect(),
    });
    let (results, incoming) = mpsc::channel();
    for thread in 0..threads {
        // Ends when no seed is left. Nobody waits for it: the channel ends with the last of them, and one that is stuck
        // must not keep the others from being reported.
        let (shared, results) = (Arc::clone(&shared), results.clone());
        thread::spawn(move || shared.work(thread, &results));
    }
    drop(results);
    shared.gather(&incoming)
}

impl Shared {
    fn work(&self, thread: usize, results: &Sender<(u64, Trial)>) {
        while let Some(seed) = self.take() {
            *self.under_way[thread].lock() = Some((seed, Instant::now()));
            let trial = judge_plan(&generate(seed));
            *self.under_way[thread].lock() = None;
            if results.send((seed, trial)).is_err() {
                break;
            }
        }
    }

    /// The next seed, if one is to be run.
    fn take(&self) -> Option<u64> {
        let is_late = self.seeds.time.is_some_and(|time| self.begun.elapsed() >= time);
        if is_late || self.is_over.load(Ordering::Relaxed) {
            return None;
        }
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let is_one = self.seeds.count.is_none_or(|count| n < count);
        is_one.then(|| self.seeds.first.wrapping_add(n))
    }

    fn gather(&self, incoming: &Receiver<(u64, Trial)>) -> Tally {
        let mut tally = Tally::default();
        let mut progress = Progress::new(self.seeds.count, self.seeds.time);
        loop {
            match incoming.recv_timeout(GLANCE) {
                Ok((seed, trial)) => tally.add(seed, trial),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let stuck = self.stuck();
            for seed in &stuck {
                tally.fail(*seed, Cause::Stuck, format!("it has not ended within {} s", STUCK.as_secs()));
            }
            if !stuck.is_empty() || (self.seeds.until_failure && !tally.failures.is_empty()) {
                self.is_over.store(true, Ordering::Relaxed);
            }
            if !stuck.is_empty() {
                break;
            }
            tally.wall = self.begun.elapsed();
            progress.show(&tally);
        }
        tally.wall = self.begun.elapsed();
        progress.end();
        // Threads finish in any order; what is reported must not depend on it.
        tally.failures.sort_by_key(|failure| failure.seed.wrapping_sub(self.seeds.first));
        tally
    }

    fn stuck(&self) -> Vec<u64> {
        let under_way = self.under_way.iter().filter_map(|one| *one.lock());
        under_way.filter(|(_, since)| since.elapsed() > STUCK).map(|(seed, _)| seed).collect()
    }
}

/// The message of a panic of `f`.
fn catching<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(panic::AssertUnwindSafe(f)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
    })
}
