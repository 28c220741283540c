//! Many callers of endpoints that come, go and fail in every way, in simulated time: what holds whatever happens.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use balance::{
    Answered, Balancer, BalancerConfig, Budget, CallConfig, CallError, Caller, EndpointInfo, EntryChange,
    Failure, GaveUp, Health, Strategy, Target,
};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use crate::common::ms;

/// How many worlds there are; `CHAOS_WORLDS=10000` searches longer.
const WORLDS: u64 = 100;

type Key = u32;
type To = Target<Key, Info>;

/// The endpoint that is listed, open and well all the time.
const STEADY: Key = 0;

#[derive(Clone, Copy, Debug, Default)]
struct Info {
    is_closed: bool,
    is_draining: bool,
    is_held: bool,
}

impl EndpointInfo for Info {
    fn weight(&self) -> u32 {
        if self.is_closed { 0 } else { 100 }
    }
    fn is_draining(&self) -> bool {
        self.is_draining
    }
    fn is_held(&self) -> bool {
        self.is_held
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Good,
    Slow,
    Hangs,
    Silent,
    Fails(Failure),
    /// Resets every second connection.
    Odd,
}

#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn mood(&mut self) -> Mood {
        match self.below(8) {
            0 => Mood::Good,
            1 => Mood::Slow,
            2 => Mood::Hangs,
            3 => Mood::Silent,
            4 => Mood::Odd,
            5 => Mood::Fails(Failure::Refused),
            _ => Mood::Fails(Failure::ALL[self.below(7) as usize]),
        }
    }
}

/// What is true of the endpoints, and what they have seen.
#[derive(Debug)]
struct World {
    dice: Dice,
    moods: BTreeMap<Key, Mood>,
    /// Of each call: its attempts, trials beside it apart.
    calls: Vec<Vec<Seen>>,
    /// Whether the steady one has answered.
    is_steady_known: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    mood: Mood,
    is_trial: bool,
}

/// One operation of the call of that number.
async fn act(world: Arc<Mutex<World>>, call: usize, is_beside: bool, target: To) -> Result<Key, Failure> {
    let (mood, wait, connect) = {
        let mut world = world.lock();
        let mut mood = world.moods[target.key()];
        if mood == Mood::Odd {
            mood = if world.dice.one_in(2) { Mood::Good } else { Mood::Fails(Failure::Reset) };
        }
        if !is_beside {
            world.calls[call].push(Seen { mood, is_trial: target.is_trial() });
        }
        let wait = ms(world.dice.below(if mood == Mood::Slow { 900 } else { 20 }));
        (mood, wait, target.connect_timeout())
    };
    match mood {
        Mood::Hangs => pending().await,
        Mood::Silent => {
            sleep(connect).await;
            Err(Failure::Unreachable)
        }
        Mood::Fails(Failure::Refused) => Err(Failure::Refused),
        Mood::Fails(failure) => {
            sleep(wait).await;
            Err(failure)
        }
        Mood::Good | Mood::Slow | Mood::Odd => {
            sleep(wait).await;
            world.lock().is_steady_known |= *target.key() == STEADY;
            Ok(*target.key())
        }
    }
}

/// How one world differs from another.
#[derive(Clone, Copy, Debug)]
struct Plan {
    strategy: Strategy,
    endpoints: u32,
    callers: u64,
    calls: u64,
    hedges: bool,
    /// Whether what is wrong with an endpoint stays so.
    is_static: bool,
    /// Whether callers have deadlines of their own.
    is_impatient: bool,
    is_limited: bool,
}

impl Plan {
    fn new(dice: &mut Dice) -> Self {
        Self {
            strategy: Strategy::ALL[dice.below(7) as usize],
            endpoints: 2 + dice.below(14) as u32,
            callers: 1 + dice.below(6),
            calls: 20,
            hedges: dice.one_in(3),
            is_static: dice.one_in(2),
            is_impatient: dice.one_in(3),
            is_limited: dice.one_in(4),
        }
    }
}

#[test]
fn no_call_fails_while_a_healthy_endpoint_is_listed_and_nothing_is_left_behind() {
    let worlds = std::env::var("CHAOS_WORLDS").ok().and_then(|worlds| worlds.parse().ok()).unwrap_or(WORLDS);
    for seed in 0..worlds {
        let mut dice = Dice(seed);
        let plan = Plan::new(&mut dice);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let live = std::panic::AssertUnwindSafe(|| runtime.unwrap().block_on(live(plan, dice)));
        let lived = std::panic::catch_unwind(live);
        assert!(lived.is_ok(), "world {seed}: {plan:?}");
    }
}

async fn live(plan: Plan, mut dice: Dice) {
    let mut config = BalancerConfig::new(plan.strategy).with_seed(dice.next());
    if plan.is_limited {
        config = config.with_max_in_flight(1 + dice.below(3) as u32).unwrap();
    }
    let balancer = Balancer::new(config);
    let mut moods: BTreeMap<Key, Mood> = (1..plan.endpoints).map(|key| (key, dice.mood())).collect();
    moods.insert(STEADY, Mood::Good);
    balancer.update(moods.keys().map(|key| (*key, Info::default())));
    let world = World { dice: dice.clone(), moods, calls: Vec::new(), is_steady_known: false };
    let world = Arc::new(Mutex::new(world));

    // As much time, attempts and budget as a round takes at most, in which everybody hangs.
    let overall = ms(1000 * u64::from(plan.endpoints) + 3000);
    let mut config = CallConfig::new(ms(1000), overall).unwrap();
    config =
        config.with_max_attempts(64, 1024).unwrap().with_budget(Budget::new(10.0, 1000, ms(1000)).unwrap());
    if plan.hedges {
        config = config.with_hedge_after(ms(1 + dice.below(30))).unwrap();
    }
    let caller = Caller::new(balancer.reader(), config);
    let chaos = tokio::spawn(disturb(plan, balancer.clone(), Arc::clone(&world), Dice(dice.next())));
    let callers: Vec<_> = (0..plan.callers)
        .map(|_| tokio::spawn(ask(plan, caller.clone(), Arc::clone(&world), Dice(dice.next()))))
        .collect();
    for task in callers {
        task.await.unwrap();
    }
    chaos.abort();
    for status in balancer.status() {
        let beside = u32::from(status.health == Health::OnProbation { trial: true });
        assert_eq!(status.in_flight, beside, "{status:?}");
    }
    caller.shutdown().await;
    for status in balancer.status() {
        assert_eq!(status.in_flight, 0, "{status:?}");
        assert_ne!(status.health, Health::OnProbation { trial: true }, "{status:?}");
    }
}

/// Changes the set, and what is true of its endpoints.
async fn disturb(plan: Plan, balancer: Balancer<Key, Info>, world: Arc<Mutex<World>>, mut dice: Dice) {
    loop {
        sleep(ms(dice.below(300))).await;
        if plan.endpoints == 2 && dice.one_in(2) {
            continue;
        }
        let key = 1 + dice.below(u64::from(plan.endpoints) - 1) as u32;
        if !plan.is_static {
            world.lock().moods.insert(key, dice.mood());
        }
        let info = Info { is_closed: dice.one_in(8), is_draining: dice.one_in(8), is_held: dice.one_in(8) };
        balancer.apply([if dice.one_in(4) {
            EntryChange::Remove(key)
        } else {
            EntryChange::Insert(key, info)
        }]);
    }
}

async fn ask(plan: Plan, caller: Caller<Key, Info>, world: Arc<Mutex<World>>, mut dice: Dice) {
    for _ in 0..plan.calls {
        sleep(ms(dice.below(400))).await;
        let (number, is_steady_known) = {
            let mut world = world.lock();
            world.calls.push(Vec::new());
            (world.calls.len() - 1, world.is_steady_known)
        };
        let is_idempotent = dice.one_in(2);
        let op = {
            let world = Arc::clone(&world);
            move |target: To| {
                let is_beside = is_idempotent && target.is_trial();
                act(Arc::clone(&world), number, is_beside, target)
            }
        };
        let key = dice.one_in(2).then(|| dice.below(50));
        let call = async {
            match (is_idempotent, key) {
                (true, None) => caller.call_idempotent(op).await,
                (true, Some(key)) => caller.call_idempotent_for(&key, op).await,
                (false, None) => caller.call(op).await,
                (false, Some(key)) => caller.call_for(&key, op).await,
            }
        };
        let patience = ms(if plan.is_impatient { dice.below(1500) } else { 3_600_000 });
        let Ok(outcome) = timeout(patience, call).await else { continue };
        let seen = world.lock().calls[number].clone();
        check(plan, is_idempotent, is_steady_known, &seen, outcome);
    }
}

fn check(
    plan: Plan,
    is_idempotent: bool,
    is_steady_known: bool,
    seen: &[Seen],
    outcome: Result<Answered<Key, Info, Key>, CallError<Key, Failure>>,
) {
    let may_have_had_effect = |seen: &&Seen| match seen.mood {
        Mood::Fails(failure) => !failure.had_no_effect(),
        mood => mood != Mood::Silent,
    };
    assert!(seen.iter().skip(1).all(|seen| !seen.is_trial), "only the first is a trial: {seen:?}");
    match outcome {
        Ok(answered) => {
            assert_eq!((answered.attempts, *answered.key()), (seen.len(), answered.value));
        }
        Err(error) if is_idempotent => panic!("{error}: {seen:?}, {error:?}"),
        Err(error) => assert_eq!(error.reason(), GaveUp::Final, "{error}: {seen:?}"),
    }
    if !is_idempotent {
        let effects = seen.iter().filter(may_have_had_effect).count();
        assert!(effects <= 1, "an operation is not repeated: {seen:?}");
    }
    // A retry goes to one that is known to answer, and the steady one does.
    if plan.is_static && is_steady_known && !plan.hedges && !plan.is_limited {
        let hung = seen.iter().filter(|seen| matches!(seen.mood, Mood::Hangs | Mood::Silent)).count();
        assert!(hung <= 1, "{seen:?}");
    }
}
