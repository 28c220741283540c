//! Trials by an operation of its own, so that calls need not make them.

use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::attempt::{Attempt, Limits};
use super::classify::Classify;
use super::config::CallConfig;
use super::fair_time::Fair;
use super::race::{Finish, Race};
use super::target::Target;
use crate::balancer::Balancer;
use crate::failure::Failure;
use crate::info::EndpointInfo;
use crate::pick::Pick;
use crate::shared::Shared;

/// How many probes a driver runs at a time.
const MAX_PROBES: usize = 8;

/// When to look again although nothing is known to happen: when trials that nobody settled expire.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl<K, V> Balancer<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: EndpointInfo + Send + Sync + 'static,
{
    /// Makes a driver of probes: a future that decides on ejected endpoints by an operation of its own, such as a health check. While
    /// it lives, from its first poll on, neither picks nor calls are trials.
    ///
    /// When an ejection is over, the endpoint is probed; up to eight at a time, each within [`CallConfig::attempt`]. An answer
    /// brings it back into service. An error ejects it again, for longer; an error without a [`Failure`] counts as
    /// [`Failure::Unavailable`]. Between probes the driver sleeps.
    ///
    /// It ends when the balancer, with all its readers and callers, is gone.
    ///
    /// # Panics
    /// Polled outside of a tokio runtime with its timer enabled; and when the operation panics.
    ///
    /// # Cancel safety
    /// Dropping the driver drops its probes; picks and calls make trials again.
    ///
    /// ```
    /// # use balance::{Balancer, CallConfig, BalancerConfig, Failure};
    /// # async fn ping(_: &str) -> Result<(), Failure> { Ok(()) }
    /// # async fn example() {
    /// let balancer: Balancer<&str, ()> = Balancer::new(BalancerConfig::default());
    /// tokio::spawn(balancer.probe(&CallConfig::default(), async |target| ping(target.key()).await));
    /// # }
    /// ```
    pub fn probe<T, E, F, Fut>(
        &self,
        config: &CallConfig,
        op: F,
    ) -> impl Future<Output = ()> + use<K, V, T, E, F, Fut>
    where
        E: Classify,
        F: FnMut(Target<K, V>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        // A probe gets all its time: only the end of the driver cuts it short, and that says nothing.
        let limits =
            Limits { connect: config.connect, attempt: config.attempt, fair: Fair::only(config.attempt) };
        let (shared, changed) = (Arc::downgrade(&self.shared), Arc::clone(&self.shared.probes.changed));
        async move {
            let mut driver = Driver { op, limits, race: Race::new() };
            let Some(_probing) = shared.upgrade().map(|shared| Probing::begin(&shared)) else { return };
            loop {
                // Before the look, so that nothing that changes after it is missed.
                let mut changed = pin!(changed.notified());
                let Some(until) = shared.upgrade().map(|shared| driver.start_due(&shared)) else { return };
                let mut due = pin!(sleep_until(until));
                let finish = std::future::poll_fn(|cx| match driver.race.poll(cx) {
                    Poll::Ready(finish) => Poll::Ready(Some(finish)),
                    Poll::Pending if changed.as_mut().poll(cx).is_ready() => Poll::Ready(None),
                    Poll::Pending => due.as_mut().poll(cx).map(|()| None),
                });
                if let Some(finish) = finish.await {
                    conclude(finish);
                }
            }
        }
    }
}

struct Driver<K, V, F, Fut> {
    op: F,
    limits: Limits,
    race: Race<K, V, Fut>,
}

impl<K, V, F, Fut> Driver<K, V, F, Fut>
where
    K: Eq + Hash + Clone,
    V: EndpointInfo,
    F: FnMut(Target<K, V>) -> Fut,
    Fut: Future,
{
    /// Starts the probes that are due. Returns when to look again, if nothing changes before.
    fn start_due(&mut self, shared: &Shared<K, V>) -> Instant {
        while self.race.len() < MAX_PROBES
            && let Some((entry, ticket)) = shared.start_trial(&|_| true, self.limits.attempt)
        {
            self.race.add(Attempt::begin(Pick::trial(entry, ticket), self.limits, &mut self.op));
        }
        let now = Instant::now();
        // What is due and was not started waits for room, which is a change.
        shared.next_probe().filter(|due| *due > now).unwrap_or(now + LOOK_AGAIN)
    }
}

/// A probe has ended.
fn conclude<K, V, T, E: Classify>((report, result): Finish<K, V, Result<T, E>>) {
    match result {
        Ok(Ok(_)) => report.answered(),
        // Without a failure the endpoint would be due at once, for ever.
        Ok(Err(error)) => report.failed(error.failure().or(Some(Failure::Unavailable))),
        Err(_) => drop(report.unanswered()),
    }
}

/// That probes are made, as long as it lives.
struct Probing<K, V>(std::sync::Weak<Shared<K, V>>);

impl<K, V> Probing<K, V> {
    fn begin(shared: &Arc<Shared<K, V>>) -> Self {
        shared.begin_probes();
        Self(Arc::downgrade(shared))
    }
}

impl<K, V> Drop for Probing<K, V> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.end_probes();
        }
    }
}
