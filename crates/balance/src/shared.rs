//! What a balancer, its readers and its callers share: the table that picks are made from, and behind it the members, under a lock.

mod head;
mod probes;

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::BalancerConfig;
use crate::endpoint::State;
use crate::entry::{Entry, Reports, Ticket};
use crate::failure::Failure;
use crate::info::EndpointInfo;
use crate::members::{HealthReport, Members, QueuePlace};
use crate::metrics;
use crate::rng::Rng;
use crate::table::Table;
use head::Head;
use probes::Probes;

/// How many endpoints that are due are looked at for one to try.
const MAX_LOOKED_AT: usize = 64;

pub(crate) struct Shared<K, V> {
    pub(crate) head: Head,
    table: ArcSwap<Table<K, V>>,
    /// Picks take it only to start a trial. None of the caller's code runs under it but that of keys and values: what is asked of a
    /// pick may use the balancer.
    members: Mutex<Members<K, V>>,
    pub(crate) config: Arc<BalancerConfig>,
    start: Instant,
    seed: u64,
    readers: AtomicU64,
    /// How many endpoints the gauge counts.
    counted: AtomicU64,
    pub(crate) probes: Probes,
}

impl<K, V> Shared<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: EndpointInfo + Send + Sync + 'static,
{
    pub(crate) fn new(config: BalancerConfig) -> Arc<Self> {
        let seed = config.seed.unwrap_or_else(rand::random);
        let config = Arc::new(config);
        Arc::new_cyclic(|shared: &Weak<Shared<K, V>>| {
            let reports: Weak<dyn Reports<K>> = shared.clone();
            Shared {
                head: Head::default(),
                table: ArcSwap::default(),
                members: Mutex::new(Members::new(Arc::clone(&config), reports, Rng::new(seed))),
                config,
                start: Instant::now(),
                seed,
                readers: AtomicU64::new(0),
                counted: AtomicU64::new(0),
                probes: Probes::default(),
            }
        })
    }
}

impl<K: Eq + Hash + Clone, V: EndpointInfo> Shared<K, V> {
    /// Changes the members, and publishes what has come of it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Members<K, V>, u64) -> T) -> T {
        let mut members = self.members.lock();
        // With the lock: so the members' time does not go backwards.
        let now_ms = self.now_ms();
        let outcome = change(&mut members, now_ms);
        // Most reports change no table, and then no reader has to load one.
        let old = members.take_changed().then(|| {
            let old = self.table.swap(Arc::new(members.table(now_ms)));
            self.head.next_version();
            old
        });
        self.publish_trials(&members);
        let out = members.known.out() as u64;
        let counted = self.counted.swap(out, Ordering::Relaxed);
        // What follows may take long: a recorder, and the end of a hundred thousand entries.
        drop(members);
        metrics::out_of_service(counted, out);
        drop(old);
        self.probes.tell();
        outcome
    }

    /// Answers a question about the members.
    pub(crate) fn look<T>(&self, question: impl FnOnce(&Members<K, V>, u64) -> T) -> T {
        let members = self.members.lock();
        question(&members, self.now_ms())
    }

    /// Starts the trial that has waited longest, of an endpoint that is `wanted`. It lasts for up to `lasts`, zero if nobody knows.
    pub(crate) fn start_trial(
        &self,
        wanted: &dyn Fn(&Entry<K, V>) -> bool,
        lasts: Duration,
    ) -> Option<(Arc<Entry<K, V>>, Ticket)> {
        self.start_trial_after(&mut None, wanted, lasts)
    }

    /// As [`start_trial`](Self::start_trial), of those behind a place in the queue. If it has looked at many in vain, it returns `None`, and
    /// the place is that of the last one: so the next call sees others.
    pub(crate) fn start_trial_after(
        &self,
        place: &mut Option<QueuePlace>,
        wanted: &dyn Fn(&Entry<K, V>) -> bool,
        lasts: Duration,
    ) -> Option<(Arc<Entry<K, V>>, Ticket)> {
        for _ in 0..MAX_LOOKED_AT {
            let due = self.queue(|members, now_ms| members.known.next_due(*place, now_ms));
            let (at, entry) = due.or_else(|| {
                *place = None;
                None
            })?;
            *place = Some(at);
            // In between another thread may have started it.
            if wanted(&entry)
                && let Some(trial) = self.queue(|members, now_ms| {
                    members.known.start_trial(entry.key(), &entry.state, now_ms, lasts)
                })
            {
                *place = None;
                return Some(trial);
            }
        }
        None
    }

    /// Changes the queue of trials. The table and the gauge stay: neither says who is being tried.
    fn queue<T>(&self, change: impl FnOnce(&mut Members<K, V>, u64) -> T) -> T {
        let mut members = self.members.lock();
        let outcome = change(&mut members, self.now_ms());
        self.publish_trials(&members);
        outcome
    }

    fn publish_trials(&self, members: &Members<K, V>) {
        self.probes.publish(&self.head, members.known.next_trial_ms());
    }
}

impl<K, V> Shared<K, V> {
    /// Milliseconds since the balancer's start.
    pub(crate) fn now_ms(&self) -> u64 {
        self.ms_at(Instant::now())
    }

    /// Milliseconds from the balancer's start to a moment.
    pub(crate) fn ms_at(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether a call or a pick may start a trial now, if there is room for one.
    #[inline]
    pub(crate) fn is_trial_due(&self) -> bool {
        let next_ms = self.head.next_trial_ms();
        next_ms < u64::MAX && next_ms <= self.now_ms()
    }

    /// When the next trial is due for a driver of probes: a moment that may be past. `None` if nobody is ejected.
    pub(crate) fn next_probe(&self) -> Option<Instant> {
        self.start.checked_add(Duration::from_millis(self.probes.next_due_ms()?))
    }

    /// From now on probes decide on ejected endpoints, until as many calls of `end_probes`.
    pub(crate) fn begin_probes(&self) {
        let _lock = self.members.lock();
        self.probes.begin(&self.head);
    }

    pub(crate) fn end_probes(&self) {
        let _lock = self.members.lock();
        self.probes.end(&self.head);
    }

    pub(crate) fn table(&self) -> Arc<Table<K, V>> {
        self.table.load_full()
    }

    /// The random numbers of the next reader.
    pub(crate) fn next_rng(&self) -> Rng {
        let number = self.readers.fetch_add(1, Ordering::Relaxed);
        Rng::new(crate::hash::mix(self.seed, number))
    }
}

impl<K, V> Reports<K> for Shared<K, V>
where
    K: Eq + Hash + Clone + Send + Sync,
    V: EndpointInfo + Send + Sync,
{
    fn ms_at(&self, at: Instant) -> u64 {
        Shared::ms_at(self, at)
    }

    fn failed(&self, key: &K, state: &Arc<State>, generation: u16, failure: Failure, took: Duration) {
        let report = HealthReport::Failed { generation, failure, took };
        if self.change(|members, now_ms| members.known.take(key, state, report, now_ms)) {
            metrics::ejection(failure);
        }
    }

    fn recovered(&self, key: &K, state: &Arc<State>, ticket: Ticket) {
        let report = HealthReport::Recovered { ticket };
        self.change(|members, now_ms| members.known.take(key, state, report, now_ms));
    }

    fn failed_again(&self, key: &K, state: &Arc<State>, ticket: Ticket, failure: Failure, took: Duration) {
        let report = HealthReport::FailedAgain { ticket, failure, took };
        if self.change(|members, now_ms| members.known.take(key, state, report, now_ms)) {
            metrics::ejection(failure);
        }
    }

    fn gave_up(&self, key: &K, state: &Arc<State>, ticket: Ticket) {
        let report = HealthReport::GaveUp { ticket };
        self.change(|members, now_ms| members.known.take(key, state, report, now_ms));
    }
}

impl<K, V> Drop for Shared<K, V> {
    fn drop(&mut self) {
        metrics::out_of_service(*self.counted.get_mut(), 0);
        self.probes.changed.notify_waiters();
    }
}
