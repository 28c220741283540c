//! A way to call the service, and how often it is called.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{self, Instant, MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

/// As many calls as begin in ten seconds at 200 a second: whoever has all of those open gets no more before one has ended.
const MAX_IN_FLIGHT: usize = 2_000;
/// Every method has a shorter deadline of its own.
const HUNG: Duration = Duration::from_secs(20);

/// How many different errors are told apart.
const LISTED: usize = 5;

/// One call, to its end.
type Call = dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// A way to call the service.
#[derive(Clone)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    call: Arc<Call>,
}

impl Method {
    pub(crate) fn new<F>(name: &'static str, call: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, call: Arc::new(move || Box::pin(call())) }
    }

    pub(crate) async fn call(&self) -> Result<(), String> {
        let answer = timeout(HUNG, (self.call)()).await;
        answer.unwrap_or_else(|_| Err(format!("no end within {HUNG:?}")))
    }
}

/// What became of the calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) calls: usize,
    /// Those without an answer.
    pub(crate) lost: usize,
    /// Those errors that came first, and how often each was seen.
    pub(crate) errors: BTreeMap<String, usize>,
    /// The longest time of a call that was answered.
    pub(crate) slowest: Duration,
    /// How late a call began at most: that is this machine's, or the limit of calls in flight.
    pub(crate) late: Duration,
}

impl Tally {
    fn add(&mut self, took: Duration, answer: Result<(), String>) {
        self.calls += 1;
        match answer {
            Ok(()) => self.slowest = self.slowest.max(took),
            Err(error) => {
                self.lost += 1;
                let is_listed = self.errors.len() < LISTED || self.errors.contains_key(&error);
                let error = if is_listed { error } else { "others".to_owned() };
                *self.errors.entry(error).or_default() += 1;
            }
        }
    }
}

/// Calls that begin at an interval, however long they take. `Drop` ends them.
pub(crate) struct Load {
    stop: CancellationToken,
    running: JoinHandle<Tally>,
}

impl Load {
    pub(crate) fn start(method: &Method, interval: Duration) -> Self {
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(method.clone(), interval, stop.clone()));
        Self { stop, running }
    }

    /// Begins no more calls, and waits for the end of those that have begun.
    pub(crate) async fn finish(mut self) -> Tally {
        self.stop.cancel();
        (&mut self.running).await.unwrap()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn run(method: Method, interval: Duration, stop: CancellationToken) -> Tally {
    let mut ticks = time::interval(interval);
    // A tick that comes late is made up for: a slow machine makes calls late, and not fewer.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    // Ended with this task.
    let mut calls = JoinSet::new();
    let mut tally = Tally::default();
    loop {
        let due = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            due = ticks.tick() => due,
            Some(ended) = calls.join_next() => {
                let (took, answer) = ended.unwrap();
                tally.add(took, answer);
                continue;
            }
        };
        let place = places.clone().acquire_owned().await.unwrap();
        tally.late = tally.late.max(due.elapsed());
        let method = method.clone();
        calls.spawn(async move {
            let began = Instant::now();
            let answer = method.call().await;
            drop(place);
            (began.elapsed(), answer)
        });
    }
    while let Some(ended) = calls.join_next().await {
        let (took, answer) = ended.unwrap();
        tally.add(took, answer);
    }
    tally
}
