//! Picks from the current set.

mod error;
mod search;
mod slow_start;
mod trial_turn;
mod view;
mod wish;

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::balancer::Balancer;
use crate::candidates::Candidates;
use crate::entry::Entry;
use crate::hash::stable_hash;
use crate::info::EndpointInfo;
use crate::pick::{Began, Counted, Pick};
use crate::picker::{Context, Picker};
use crate::rng::Rng;
use crate::shared::Shared;
use crate::strategy::StrategyPicker;
use crate::table::Slot;
use search::{PROPOSALS, Search};
use slow_start::SlowStart;
use trial_turn::TrialTurn;
use view::View;

pub use error::PickError;

pub(crate) use wish::{Wanted, Wish};

/// Picks from the set of a [`Balancer`]: one for each task or thread, with a picker and random numbers of its own, so that a
/// pick writes to nothing that another thread reads. A clone begins with other random numbers.
///
/// ```
/// use balance::{Balancer, BalancerConfig, Strategy};
///
/// let balancer = Balancer::new(BalancerConfig::new(Strategy::RoundRobin));
/// balancer.update([("10.0.0.1:80", ()), ("10.0.0.2:80", ())]);
/// let mut reader = balancer.reader();
/// let (first, second) = (*reader.choose()?.key(), *reader.choose()?.key());
/// assert_ne!(first, second);
/// # Ok::<(), balance::PickError>(())
/// ```
// Cache lines of its own: the next one in memory may be another thread's.
#[repr(align(64))]
pub struct Reader<K, V, P = StrategyPicker> {
    shared: Arc<Shared<K, V>>,
    view: View<K, V>,
    rng: Rng,
    /// A random number for life.
    whim: u64,
    picker: P,
    turn: TrialTurn,
}

impl<K, V> Balancer<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: EndpointInfo + Send + Sync + 'static,
{
    /// Makes a reader with the configured strategy.
    #[must_use]
    pub fn reader(&self) -> Reader<K, V> {
        self.reader_with(self.shared.config.strategy.picker())
    }

    /// Makes a reader with any picker.
    #[must_use]
    pub fn reader_with<P: Picker<K, V>>(&self, picker: P) -> Reader<K, V, P> {
        let mut rng = self.shared.next_rng();
        let whim = rng.next_u64();
        let turn = TrialTurn::new(&mut rng);
        Reader { shared: Arc::clone(&self.shared), view: View::new(&self.shared), rng, whim, picker, turn }
    }
}

impl<K, V, P> Reader<K, V, P>
where
    K: Eq + Hash + Clone,
    V: EndpointInfo,
    P: Picker<K, V>,
{
    /// Chooses an endpoint, and does not follow its call: it counts as no call in flight, and is never a trial. Takes
    /// no lock, allocates nothing, and writes to no memory that another thread uses, but when the set has changed.
    ///
    /// # Errors
    /// [`PickError`]. Ejected endpoints are no error: when all look bad, one of them is chosen.
    // It is a few dozen instructions, and a call of it that is not inlined takes as long as they do.
    #[inline(always)]
    pub fn choose(&mut self) -> Result<&Entry<K, V>, PickError> {
        self.view.refresh(&self.shared);
        let now_ms = if self.picker.measures_latency() { self.shared.now_ms() } else { 0 };
        let entry = match self.propose_simple(None, now_ms) {
            Some(index) => self.view.simple.entry(index),
            None => Some(self.search(&Wish::ANY)?.entry),
        };
        entry.map(|entry| &**entry).ok_or(PickError::NoInstances)
    }

    /// Chooses an endpoint for a call that the [`Pick`] stands for. Takes no lock and allocates nothing, but to start a trial,
    /// and writes to the memory of the chosen endpoint only.
    ///
    /// While endpoints wait for a trial, one pick in 20 is one, unless the balancer is [probed](Balancer::probe).
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    #[inline]
    pub fn pick(&mut self) -> Result<Pick<K, V>, PickError> {
        self.pick_by(&Wish::ANY, true)
    }

    /// As [`pick`](Self::pick), for a call that belongs to `key`: strategies that go by a key send equal keys to one endpoint.
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    pub fn pick_for<Q: Hash + ?Sized>(&mut self, key: &Q) -> Result<Pick<K, V>, PickError> {
        self.pick_by(&Wish { key: Some(stable_hash(key)), ..Wish::ANY }, true)
    }

    /// As [`pick`](Self::pick), among the endpoints for which `wanted` returns true.
    ///
    /// # Errors
    /// As [`choose`](Self::choose), and [`PickError::AllExcluded`].
    pub fn pick_where(&mut self, wanted: impl Fn(&K) -> bool) -> Result<Pick<K, V>, PickError> {
        self.pick_by(&Wish { wanted: Some(&|entry| wanted(entry.key())), ..Wish::ANY }, true)
    }

    #[inline]
    pub(crate) fn pick_by(&mut self, wish: &Wish<'_, K, V>, may_try: bool) -> Result<Pick<K, V>, PickError> {
        self.view.refresh(&self.shared);
        if may_try
            && self.shared.head.next_trial_ms() != u64::MAX
            && let Some((entry, ticket)) = self.trial(wish)
        {
            return Ok(Pick::trial(entry, ticket));
        }
        let began = self.picker.measures_latency().then(|| {
            let at = Instant::now();
            Began { at, ms: self.shared.ms_at(at) }
        });
        let now_ms = began.map_or(0, |began| began.ms);
        let is_any = wish.wanted.is_none();
        let index = if is_any { self.propose_simple(wish.key, now_ms) } else { None };
        let counted = match index.and_then(|index| self.view.simple.slot(index)) {
            Some(slot) => Pick::count(slot),
            None => self.count_by_search(wish)?,
        };
        Ok(Pick::of(counted, began))
    }

    /// Proposes one of the first tier, if every pick is made from it.
    #[inline]
    fn propose_simple(&mut self, key: Option<u64>, now_ms: u64) -> Option<usize> {
        let tier = &self.view.simple;
        if tier.len == 0 {
            return None;
        }
        let context = &mut Context { rng: &mut self.rng, key, now_ms };
        // A picker may be anybody's.
        self.picker.pick(&Candidates::new(tier, None), context).filter(|index| *index < tier.len)
    }

    #[inline(never)]
    fn count_by_search(&mut self, wish: &Wish<'_, K, V>) -> Result<Counted<K, V>, PickError> {
        let limit = self.shared.config.max_in_flight;
        for _ in 0..PROPOSALS {
            let slot = self.search(wish)?;
            // Another thread may have reached the limit in between.
            if let Some(counted) = Pick::count_within(limit, slot) {
                return Ok(counted);
            }
        }
        Err(PickError::Saturated)
    }

    /// The balancer's side of it.
    pub(crate) fn shared(&self) -> &Arc<Shared<K, V>> {
        &self.shared
    }

    pub(crate) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// A trial, if one is due and this pick may be one.
    #[inline(never)]
    fn trial(&mut self, wish: &Wish<'_, K, V>) -> Option<Counted<K, V>> {
        let Self { shared, turn, .. } = self;
        if !turn.comes() {
            return None;
        }
        let now_ms = shared.now_ms();
        if now_ms < shared.head.next_trial_ms() {
            turn.wait(now_ms);
            return None;
        }
        turn.taken(now_ms);
        let limit = shared.config.max_in_flight.unwrap_or(u32::MAX);
        let wanted = |entry: &Entry<K, V>| wish.wants(entry) && entry.in_flight() < limit;
        shared.start_trial_after(&mut turn.place, &wanted, Duration::ZERO)
    }

    /// Looks through the tiers for an endpoint that may be used.
    #[inline(never)]
    fn search(&mut self, wish: &Wish<'_, K, V>) -> Result<Slot<'_, K, V>, PickError> {
        let Self { shared, view, picker, rng, whim, .. } = self;
        let config = &*shared.config;
        let now_ms = if view.is_slow || picker.measures_latency() { shared.now_ms() } else { 0 };
        view.end_slow_start(config, now_ms);
        let is_slow = view.is_slow && !picker.is_by_key();
        let search = Search {
            table: &view.table,
            wish,
            limit: config.max_in_flight.unwrap_or(u32::MAX),
            slow_start: is_slow.then_some(SlowStart { time: config.slow_start, now_ms }),
            whim: *whim,
            now_ms,
        };
        search.find(picker, rng, || shared.now_ms())
    }
}

impl<K, V, P: Clone> Clone for Reader<K, V, P> {
    fn clone(&self) -> Self {
        let mut rng = self.shared.next_rng();
        Self {
            shared: Arc::clone(&self.shared),
            view: self.view.clone(),
            turn: TrialTurn::new(&mut rng),
            rng,
            // It comes with the picker, which may stay with an endpoint for it.
            whim: self.whim,
            picker: self.picker.clone(),
        }
    }
}

impl<K, V, P: fmt::Debug> fmt::Debug for Reader<K, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("picker", &self.picker)
            .field("endpoints", &self.view.table.facts.listed)
            .finish_non_exhaustive()
    }
}
