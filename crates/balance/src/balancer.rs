//! The set of endpoints that readers pick from.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Config;
use crate::endpoint::State;
use crate::entry::{Entry, Reports, Ticket};
use crate::failure::Failure;
use crate::info::EndpointInfo;
use crate::members::{Change, Health, Members};
use crate::metrics;
use crate::rng::Rng;
use crate::table::Table;

/// A set of endpoints, and the health of each. Clones share everything.
///
/// A key is what a caller needs for a call; endpoints with equal keys are the same endpoint. The value is what is known about
/// it, and may change. [`reader`](crate::Reader) picks; the [crate documentation](crate) says how endpoints that fail are treated.
pub struct Balancer<K, V> {
    pub(crate) shared: Arc<Shared<K, V>>,
}

pub(crate) struct Shared<K, V> {
    pub(crate) head: Head,
    table: ArcSwap<Table<K, V>>,
    /// Picks take it only to start a trial.
    members: Mutex<Members<K, V>>,
    pub(crate) config: Arc<Config>,
    start: Instant,
    seed: u64,
    readers: AtomicU64,
    /// How many endpoints the gauge counts.
    counted: AtomicU64,
    pub(crate) probes: Probes,
}

/// What the drivers of probes and the balancer share.
#[derive(Debug)]
pub(crate) struct Probes {
    /// How many drivers there are: with one, neither picks nor calls start trials. Changes under the lock of the members.
    drivers: AtomicU64,
    /// When the next trial is due, whoever starts it. Changes under the same lock.
    next_due_ms: AtomicU64,
    /// Told of each change while there are drivers, and of the end. Apart, as a driver does not keep the balancer.
    pub(crate) changed: Arc<Notify>,
}

impl Default for Probes {
    fn default() -> Self {
        Self { drivers: AtomicU64::new(0), next_due_ms: AtomicU64::new(u64::MAX), changed: Arc::default() }
    }
}

/// What every pick reads, on a cache line that only a change of the set writes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Head {
    /// Counts tables.
    version: AtomicU64,
    /// When a pick or a call may start the next trial, in milliseconds of the balancer's clock; `u64::MAX` if nobody is ejected,
    /// or probes do it.
    next_trial_ms: AtomicU64,
}

impl Head {
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn next_trial_ms(&self) -> u64 {
        self.next_trial_ms.load(Ordering::Relaxed)
    }
}

impl<K, V> Balancer<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: EndpointInfo + Send + Sync + 'static,
{
    /// Makes a balancer without endpoints, whose picks fail with [`PickError::NotSynced`](crate::PickError::NotSynced).
    #[must_use]
    pub fn new(config: Config) -> Self {
        let seed = config.seed.unwrap_or_else(rand::random);
        let config = Arc::new(config);
        let shared = Arc::new_cyclic(|shared: &Weak<Shared<K, V>>| {
            let reports: Weak<dyn Reports<K>> = shared.clone();
            Shared {
                head: Head { version: AtomicU64::new(0), next_trial_ms: AtomicU64::new(u64::MAX) },
                table: ArcSwap::default(),
                members: Mutex::new(Members::new(Arc::clone(&config), reports, Rng::new(seed))),
                config,
                start: Instant::now(),
                seed,
                readers: AtomicU64::new(0),
                counted: AtomicU64::new(0),
                probes: Probes::default(),
            }
        });
        Self { shared }
    }

    /// Replaces the set of endpoints, which may be empty. Of a repeated key the last value counts.
    ///
    /// Endpoints that stay keep their health; that of endpoints that leave is remembered for [`MEMORY`](crate::MEMORY). One whose
    /// [incarnation](EndpointInfo::incarnation) is another is another endpoint.
    ///
    /// Takes time in proportion to the set; [`apply`](Self::apply) does not. Earlier picks are not disturbed.
    pub fn update(&self, set: impl IntoIterator<Item = (K, V)>) {
        // The iterator is the caller's code, and runs without the lock.
        let set: Vec<_> = set.into_iter().collect();
        self.shared.change(|members, now_ms| members.replace(set, now_ms));
    }

    /// Makes some changes to the set, in order, of which picks see all or nothing. The first changes also make the set known, as
    /// [`update`](Self::update) does.
    ///
    /// A change takes microseconds, in a set of 100,000, too.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change<K, V>>) {
        let changes: Vec<_> = changes.into_iter().collect();
        self.shared.change(|members, now_ms| members.apply(changes, now_ms));
    }

    /// Returns the status of each endpoint; empty before the first update.
    ///
    /// Meant for people: it allocates and takes the lock.
    #[must_use]
    pub fn status(&self) -> Vec<EndpointStatus<K>> {
        let members = self.shared.members.lock();
        let now_ms = self.shared.now_ms();
        let status = |(entry, health, ejections): (&Arc<Entry<K, V>>, _, _)| EndpointStatus {
            key: entry.key().clone(),
            weight: entry.weight(),
            health,
            ejections,
            in_flight: entry.in_flight(),
        };
        members.healths(now_ms).map(status).collect()
    }
}

impl<K: Eq + Hash + Clone, V: EndpointInfo> Shared<K, V> {
    /// Changes the members, and publishes what has come of it.
    fn change<T>(&self, change: impl FnOnce(&mut Members<K, V>, u64) -> T) -> T {
        let mut members = self.members.lock();
        // With the lock: so the members' time does not go backwards.
        let now_ms = self.now_ms();
        let outcome = change(&mut members, now_ms);
        // Most reports change no table, and then no reader has to load one.
        let old = members.take_changed().then(|| {
            let old = self.table.swap(Arc::new(members.table(now_ms)));
            self.head.version.fetch_add(1, Ordering::Release);
            old
        });
        self.publish_trials(&members);
        let out = members.known.out() as u64;
        let counted = self.counted.swap(out, Ordering::Relaxed);
        // What follows may take long: a recorder, and the end of a hundred thousand entries.
        drop(members);
        metrics::out_of_service(counted, out);
        drop(old);
        if self.probes.drivers.load(Ordering::Relaxed) > 0 {
            self.probes.changed.notify_waiters();
        }
        outcome
    }

    /// Starts the trial that has waited longest.
    pub(crate) fn start_trial(
        &self,
        wanted: &dyn Fn(&Entry<K, V>) -> bool,
    ) -> Option<(Arc<Entry<K, V>>, Ticket)> {
        let mut members = self.members.lock();
        let trial = members.known.start_trial(wanted, self.now_ms());
        // The table and the gauge stay: neither says who is being tried.
        self.publish_trials(&members);
        trial
    }

    fn publish_trials(&self, members: &Members<K, V>) {
        let next_ms = members.known.next_trial_ms().unwrap_or(u64::MAX);
        self.probes.next_due_ms.store(next_ms, Ordering::Relaxed);
        self.publish_next_trial();
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
        match self.probes.next_due_ms.load(Ordering::Relaxed) {
            u64::MAX => None,
            next_ms => self.start.checked_add(Duration::from_millis(next_ms)),
        }
    }

    /// From now on probes decide on ejected endpoints, until as many calls of `end_probes`.
    pub(crate) fn begin_probes(&self) {
        let _lock = self.members.lock();
        self.probes.drivers.fetch_add(1, Ordering::Relaxed);
        self.publish_next_trial();
    }

    pub(crate) fn end_probes(&self) {
        let _lock = self.members.lock();
        self.probes.drivers.fetch_sub(1, Ordering::Relaxed);
        self.publish_next_trial();
    }

    /// Under the lock.
    fn publish_next_trial(&self) {
        let next_ms = match self.probes.drivers.load(Ordering::Relaxed) {
            0 => self.probes.next_due_ms.load(Ordering::Relaxed),
            _ => u64::MAX,
        };
        self.head.next_trial_ms.store(next_ms, Ordering::Relaxed);
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
        if self.change(|members, now_ms| members.known.failed(key, state, generation, failure, took, now_ms))
        {
            metrics::ejection(failure);
        }
    }

    fn recovered(&self, key: &K, state: &Arc<State>, ticket: Ticket) {
        self.change(|members, now_ms| members.known.recovered(key, state, ticket, now_ms));
    }

    fn failed_again(&self, key: &K, state: &Arc<State>, ticket: Ticket, failure: Failure, took: Duration) {
        let again = |members: &mut Members<K, V>, now_ms| {
            members.known.failed_again(key, state, ticket, failure, took, now_ms)
        };
        if self.change(again) {
            metrics::ejection(failure);
        }
    }

    fn gave_up(&self, key: &K, state: &Arc<State>, ticket: Ticket) {
        self.change(|members, now_ms| members.known.gave_up(key, state, ticket, now_ms));
    }
}

impl<K, V> Drop for Shared<K, V> {
    fn drop(&mut self) {
        metrics::out_of_service(*self.counted.get_mut(), 0);
        self.probes.changed.notify_waiters();
    }
}

impl<K, V> Clone for Balancer<K, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K, V> fmt::Debug for Balancer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.shared.table.load().facts;
        f.debug_struct("Balancer")
            .field("strategy", &self.shared.config.strategy)
            .field("endpoints", &facts.is_synced.then_some(facts.listed))
            .finish_non_exhaustive()
    }
}

/// What is known about one endpoint at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStatus<K> {
    /// The endpoint.
    pub key: K,
    /// Its weight; 0 wants no new calls.
    pub weight: u32,
    /// Its health.
    pub health: Health,
    /// How many ejections in a row there were; 0 in service.
    pub ejections: u32,
    /// How many calls are in flight.
    pub in_flight: u32,
}
