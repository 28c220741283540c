//! Picks from the current set.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use crate::balancer::{Balancer, Shared};
use crate::candidates::Candidates;
use crate::config::Config;
use crate::entry::Entry;
use crate::hash::stable_hash;
use crate::info::EndpointInfo;
use crate::pick::{Began, Pick};
use crate::picker::{Context, Picker};
use crate::rng::Rng;
use crate::strategy::StrategyPicker;
use crate::table::{Slot, Standing, Table, Tier};

/// How many proposals of the picker are looked at before all endpoints are.
const PROPOSALS: usize = 8;

/// One pick in so many may be a trial, while anybody is in service.
const PICKS_PER_TRIAL: u32 = 20;

/// The share of calls with which a newcomer begins its slow start.
const FIRST_SHARE: f64 = 0.1;

/// Picks from the set of a [`Balancer`]: one for each task or thread, with a picker and random numbers of its own, so that a
/// pick writes to nothing that another thread reads. A clone begins with other random numbers.
///
/// ```
/// use balance::{Balancer, Config, Strategy};
///
/// let balancer = Balancer::new(Config::new(Strategy::RoundRobin));
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
    version: u64,
    table: Arc<Table<K, V>>,
    /// The first tier, if every pick is made from it and every entry of it may be used; else an empty one.
    simple: Tier<K, V>,
    /// Whether somebody's slow start may not be over.
    is_slow: bool,
    rng: Rng,
    /// A random number for life.
    whim: u64,
    picker: P,
    since_trial: u32,
}

/// Which endpoints are wanted.
pub(crate) type Wanted<'a, K, V> = &'a dyn Fn(&Entry<K, V>) -> bool;

/// Which endpoint a pick wants.
pub(crate) struct Wish<'a, K, V> {
    pub(crate) key: Option<u64>,
    /// `None`: any.
    pub(crate) wanted: Option<Wanted<'a, K, V>>,
}

impl<K, V> Wish<'_, K, V> {
    pub(crate) const ANY: Self = Self { key: None, wanted: None };
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
        let mut reader = Reader {
            whim: rng.next_u64(),
            rng,
            shared: Arc::clone(&self.shared),
            version: 0,
            table: Arc::default(),
            simple: Tier::default(),
            is_slow: false,
            picker,
            since_trial: 0,
        };
        reader.reload();
        reader
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
        self.refresh();
        let now_ms = if self.picker.measures_latency() { self.shared.now_ms() } else { 0 };
        let slot = match self.propose_simple(None, now_ms) {
            Some(index) => self.simple.slot(index),
            None => Some(self.search(&Wish::ANY)?),
        };
        slot.map(|slot| &*slot.entry).ok_or(PickError::NoInstances)
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
        self.refresh();
        if may_try
            && self.shared.head.next_trial_ms() != u64::MAX
            && let Some(trial) = self.trial(wish)
        {
            return Ok(trial);
        }
        let began = self.picker.measures_latency().then(|| {
            let at = Instant::now();
            Began { at, ms: self.shared.ms_at(at) }
        });
        if wish.wanted.is_none() {
            let now_ms = began.map_or(0, |began| began.ms);
            if let Some(slot) =
                self.propose_simple(wish.key, now_ms).and_then(|index| self.simple.slot(index))
            {
                return Ok(Pick::begin(slot, began));
            }
        }
        self.pick_by_search(wish, began)
    }

    /// Proposes one of the first tier, if every pick is made from it.
    #[inline]
    fn propose_simple(&mut self, key: Option<u64>, now_ms: u64) -> Option<usize> {
        let tier = &self.simple;
        if tier.len == 0 {
            return None;
        }
        let context = &mut Context { rng: &mut self.rng, key, now_ms };
        // A picker may be anybody's.
        self.picker.pick(&Candidates::new(tier, None), context).filter(|index| *index < tier.len)
    }

    #[inline(never)]
    fn pick_by_search(
        &mut self,
        wish: &Wish<'_, K, V>,
        began: Option<Began>,
    ) -> Result<Pick<K, V>, PickError> {
        let limit = self.shared.config.max_in_flight;
        for _ in 0..PROPOSALS {
            let slot = self.search(wish)?;
            // Another thread may have reached the limit in between.
            if let Some(pick) = Pick::begin_within(limit, slot, began) {
                return Ok(pick);
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
    fn trial(&mut self, wish: &Wish<'_, K, V>) -> Option<Pick<K, V>> {
        self.since_trial += 1;
        if self.since_trial < PICKS_PER_TRIAL || self.shared.now_ms() < self.shared.head.next_trial_ms() {
            return None;
        }
        self.since_trial = 0;
        let limit = self.shared.config.max_in_flight.unwrap_or(u32::MAX);
        let wanted =
            |entry: &Entry<K, V>| wish.wanted.is_none_or(|wanted| wanted(entry)) && entry.in_flight() < limit;
        let (entry, ticket) = self.shared.start_trial(&wanted)?;
        Some(Pick::trial(entry, ticket))
    }

    #[inline]
    fn refresh(&mut self) {
        if self.shared.head.version() != self.version {
            self.reload();
        }
    }

    #[cold]
    fn reload(&mut self) {
        // First the number: if a table follows in between, the next pick loads it.
        self.version = self.shared.head.version();
        self.table = self.shared.table();
        self.is_slow = self.table.slow_until_ms > 0;
        self.simple = if self.is_slow { Tier::default() } else { self.table.simple(&self.shared.config) };
    }

    /// Looks through the tiers for an endpoint that may be used.
    #[inline(never)]
    fn search(&mut self, wish: &Wish<'_, K, V>) -> Result<&Slot<K, V>, PickError> {
        let Self { shared, table, simple, picker, rng, is_slow, whim, .. } = self;
        let config = &*shared.config;
        let limit = config.max_in_flight.unwrap_or(u32::MAX);
        let wanted = |entry: &Entry<K, V>| wish.wanted.is_none_or(|wanted| wanted(entry));
        let admits = |entry: &Entry<K, V>| wanted(entry) && entry.in_flight() < limit;
        let now_ms = if *is_slow || picker.measures_latency() { shared.now_ms() } else { 0 };
        if *is_slow && now_ms >= table.slow_until_ms {
            *is_slow = false;
            *simple = table.simple(config);
        }
        let slow_start =
            (*is_slow && !picker.is_by_key()).then_some(SlowStart { time: config.slow_start, now_ms });
        // A part of the keys spills over, or of the readers that stay with one endpoint: not now one call, now another.
        let mut draw = || match picker.is_by_key() {
            true => Rng::new(wish.key.unwrap_or(*whim)).unit(),
            false => rng.unit(),
        };
        let spills = table.spill > 0.0 && table.tiers.len() > 1 && draw() < table.spill;
        let first = usize::from(spills);
        let order = [first, 1 - first].into_iter().chain(2..table.tiers.len());
        for number in order.filter(|number| *number < table.tiers.len()) {
            let tier = &table.tiers[number];
            let index = if tier.standing == Standing::Refused {
                soonest(tier, &admits)
            } else {
                let candidates = Candidates::new(tier, Some(&admits));
                let context = &mut Context { rng, key: wish.key, now_ms };
                propose(picker, &candidates, context, slow_start)
            };
            if let Some(slot) = index.and_then(|index| tier.slot(index)) {
                return Ok(slot);
            }
        }
        if table.tiers.is_empty() {
            return Err(PickError::of_empty(table));
        }
        let is_any = table.tiers.iter().flat_map(Tier::slots).any(|slot| wanted(&slot.entry));
        Err(if is_any { PickError::Saturated } else { PickError::AllExcluded })
    }
}

/// Finds the endpoint whose ejection ends soonest: where nothing listens, something may listen first where it has been tried
/// longest ago. No strategy has a say in this.
fn soonest<K, V>(tier: &Tier<K, V>, admits: &dyn Fn(&Entry<K, V>) -> bool) -> Option<usize> {
    let admitted = tier.slots().enumerate().filter(|(_, slot)| admits(&slot.entry));
    let until_ms = |slot: &Slot<K, V>| slot.entry.state.until_ms.load(Ordering::Relaxed);
    admitted.min_by_key(|(_, slot)| until_ms(slot)).map(|(index, _)| index)
}

/// Chooses an endpoint of one tier.
fn propose<K, V>(
    picker: &mut impl Picker<K, V>,
    candidates: &Candidates<'_, K, V>,
    context: &mut Context<'_>,
    slow_start: Option<SlowStart>,
) -> Option<usize> {
    let mut second_best = None;
    for _ in 0..PROPOSALS {
        let index = picker.pick(candidates, context);
        // To ask again one that has no choice would take its time again.
        let Some((index, entry)) = index.and_then(|index| Some((index, candidates.get(index)?))) else {
            break;
        };
        if !candidates.admits(index) {
            continue;
        }
        let share = slow_start.map_or(1.0, |slow_start| slow_start.share(entry));
        if share >= 1.0 || context.rng.unit() < share {
            return Some(index);
        }
        second_best = Some(index);
    }
    second_best.or_else(|| {
        let admitted = (0..candidates.len()).filter(|index| candidates.admits(*index));
        let nth = context.rng.below(admitted.clone().count());
        admitted.clone().nth(nth)
    })
}

/// How newcomers come to their full share.
#[derive(Clone, Copy)]
struct SlowStart {
    time: Duration,
    now_ms: u64,
}

impl SlowStart {
    /// Which share of its calls an endpoint gets: all but newcomers get all.
    fn share<K, V>(self, entry: &Entry<K, V>) -> f64 {
        let since_ms = entry.state.newcomer_since_ms.load(Ordering::Relaxed);
        if since_ms == 0 {
            return 1.0;
        }
        let passed = self.now_ms.saturating_sub(since_ms) as f64 / 1000.0;
        (passed / self.time.as_secs_f64()).max(FIRST_SHARE)
    }
}

impl<K, V, P: Clone> Clone for Reader<K, V, P> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            version: self.version,
            table: Arc::clone(&self.table),
            simple: self.simple.clone(),
            is_slow: self.is_slow,
            rng: self.shared.next_rng(),
            // It comes with the picker, which may stay with an endpoint for it.
            whim: self.whim,
            picker: self.picker.clone(),
            since_trial: 0,
        }
    }
}

impl<K, V, P: fmt::Debug> fmt::Debug for Reader<K, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("picker", &self.picker)
            .field("endpoints", &self.table.facts.listed)
            .finish_non_exhaustive()
    }
}

/// Why there is nothing to pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PickError {
    /// The set of endpoints is not known yet.
    #[error("the endpoints are not known yet")]
    NotSynced,
    /// The set of endpoints is known, and empty.
    #[error("there are no endpoints")]
    NoInstances,
    /// No endpoint has the labels that the configuration asks for.
    #[error("no endpoint has the labels that are asked for")]
    NoMatch,
    /// Every endpoint is draining or has the weight 0.
    #[error("all endpoints are draining or have the weight 0")]
    AllClosed,
    /// The caller excludes all endpoints.
    #[error("all endpoints are excluded")]
    AllExcluded,
    /// Every endpoint has as many calls in flight as it may have.
    #[error("all endpoints are at their limit of calls in flight")]
    Saturated,
}

impl<K, V> Table<K, V> {
    /// The tier that every pick is made from and of which every entry may be used, if there is one and no slow start; else an
    /// empty one.
    fn simple(&self, config: &Config) -> Tier<K, V> {
        let is_simple = self.spill == 0.0 && config.max_in_flight.is_none();
        let first = self.tiers.first().filter(|tier| is_simple && tier.standing != Standing::Refused);
        first.cloned().unwrap_or_default()
    }
}

impl PickError {
    fn of_empty<K, V>(table: &Table<K, V>) -> Self {
        let facts = table.facts;
        match facts {
            _ if !facts.is_synced => Self::NotSynced,
            _ if facts.listed == 0 => Self::NoInstances,
            _ if facts.listed == facts.mismatched => Self::NoMatch,
            _ => Self::AllClosed,
        }
    }
}
