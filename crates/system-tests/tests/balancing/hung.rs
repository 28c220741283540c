//! Most of the servers hang from the start: they cost the first rounds, and nothing after the first answer.

use std::time::Duration;

use futures_util::future::join_all;
use system_tests::{Verdict, heavy, namespaces, require_that};
use zk_testing::SOON;

use crate::asking::{Limits, Outcome, QUICK_STRATEGIES, Round, STRATEGIES};
use crate::fleet::{Fault, Fleet};
use crate::world::World;

const WHY: &str = "large fleets of hung servers at the default timeouts";
const WHY_NAMES: &str = "a name service that does not answer takes a mount namespace";

/// How a fleet is asked.
struct Scale {
    strategies: &'static [&'static str],
    limits: Limits,
    interval: Duration,
    /// How many rounds follow those that may be lost.
    later: usize,
}

const QUICK: Scale = Scale {
    strategies: QUICK_STRATEGIES,
    limits: Limits::SHORT,
    interval: Duration::from_millis(20),
    later: 150,
};

/// Long enough for several trials of each server that was met.
const FULL: Scale = Scale {
    strategies: &STRATEGIES,
    limits: Limits::DEFAULT,
    interval: Duration::from_millis(50),
    later: 300,
};

/// What hung servers may cost.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Rounds that are lost before the first answer.
    lost_at_first: usize,
    /// Attempts that fail in a round after the first answer.
    failed_attempts: usize,
    /// How long such a round may take even with more attempts than that.
    duration: Duration,
}

impl Bounds {
    fn of(fault: Fault, hung: usize, scale: &Scale) -> Self {
        let Limits { round, attempt, connect } = scale.limits;
        // A name that does not exist is mostly known at once, and never later than this.
        let attempt_costs = match fault {
            Fault::Silent => attempt,
            Fault::SynUnanswered | Fault::Unresolvable | Fault::NameUnanswered => connect,
            Fault::Refusing => Duration::ZERO,
        };
        let attempts_in = |time: Duration| match attempt_costs {
            Duration::ZERO => usize::MAX,
            cost => usize::try_from(time.as_millis() / cost.as_millis()).unwrap(),
        };
        // No refusal costs a round.
        let lost_at_first = if fault == Fault::Refusing { 0 } else { hung.div_ceil(attempts_in(round)) };
        Self {
            lost_at_first,
            failed_attempts: attempts_in(attempt),
            duration: scale.interval + attempt + attempt / 10,
        }
    }

    fn judge(self, rounds: &[Round]) -> Verdict {
        let first = rounds.iter().position(|round| !round.is_lost()).unwrap_or(rounds.len());
        let at_most = self.lost_at_first;
        require_that!(first <= at_most, "more than {at_most} rounds lost before the first answer: {}", {
            summary(&rounds[..first])
        });
        // The first that is answered is one of those that find out.
        for (at, round) in rounds.iter().enumerate().skip(first + 1) {
            let since = format!("{} rounds after the first answer", at - first);
            require_that!(!round.is_lost(), "a round lost {since}: {}", summary(&rounds[..=at]));
            // By their number, as a time alone may be that of a busy machine; attempts that cost no time do no harm.
            let costly = round.failed_attempts() > self.failed_attempts && round.took > self.duration;
            require_that!(!costly, "{since}: {round:?}, more than {self:?}: {}", summary(&rounds[..=at]));
        }
        Ok(())
    }
}

/// What `docs/balancing.md` has of a client.
fn summary(rounds: &[Round]) -> String {
    let first = rounds.iter().position(|round| !round.is_lost()).unwrap_or(rounds.len());
    // The first that is answered is one of those that find out.
    let later = rounds.get(first + 1..).unwrap_or_default();
    let lost = later.iter().filter(|round| round.is_lost()).count();
    let retried = rounds.iter().filter(|round| round.failed_attempts() > 0).count();
    let most = later.iter().map(Round::failed_attempts).max().unwrap_or_default();
    let longest = later.iter().map(|round| round.took).max().unwrap_or_default();
    let answered: Duration = rounds.iter().take(first + 1).map(|round| round.took).sum();
    let text = match rounds.iter().rfind(|round| round.is_lost()) {
        Some(Round { outcome: Outcome::Lost(line), .. }) => format!("; the last lost: {line}"),
        _ => String::new(),
    };
    format!(
        "{first} rounds lost before the first answer, {answered:.1?} after the start; of {} after it {lost} lost, \
         at most {most} failed attempts before an answer, the longest {longest:.1?}; {retried} retried in all{text}",
        later.len()
    )
}

/// Has a client of each strategy meet a fleet, all at the same time, and returns what they violate.
async fn violations(fault: Fault, hung: usize, of: usize, scale: &Scale) -> Vec<String> {
    let bounds = Bounds::of(fault, hung, scale);
    let world = World::start(of - hung, Fleet::start(fault, hung).await).await;
    let count = bounds.lost_at_first + scale.later;
    let Limits { round, attempt, .. } = scale.limits;
    let rounds_lost = u32::try_from(bounds.lost_at_first + 1).unwrap();
    let rounds_later = u32::try_from(scale.later).unwrap();
    let within = SOON + round * rounds_lost + (scale.interval + attempt) * rounds_later;
    let interval = format!("{}ms", scale.interval.as_millis());
    let asked = scale.strategies.iter().map(async |strategy| {
        let case = format!("{fault:?}, {hung} of {of}, {strategy}");
        let client = world.ask(strategy, scale.limits, count, &interval);
        let rounds = client.follow(count, within, |rounds| bounds.judge(rounds)).await;
        let rounds = rounds.map_err(|violation| format!("{case}: {violation}"))?;
        println!("{case}: {}", summary(&rounds));
        Ok::<_, String>(())
    });
    join_all(asked).await.into_iter().filter_map(Result::err).collect()
}

async fn cost_only_the_first_rounds(fault: Fault, hung: usize, of: usize) {
    let violations = violations(fault, hung, of, &QUICK).await;
    assert!(violations.is_empty(), "{violations:#?}");
}

// === In every run ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_silent_servers_of_twelve_cost_only_the_first_rounds() {
    cost_only_the_first_rounds(Fault::Silent, 10, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_servers_of_twelve_whose_syn_is_unanswered_cost_only_the_first_rounds() {
    cost_only_the_first_rounds(Fault::SynUnanswered, 10, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_servers_of_twelve_whose_name_is_unknown_cost_only_the_first_rounds() {
    cost_only_the_first_rounds(Fault::Unresolvable, 10, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_servers_of_twelve_whose_name_is_unanswered_cost_only_the_first_rounds() {
    let Some(()) = namespaces(WHY_NAMES) else { return };
    cost_only_the_first_rounds(Fault::NameUnanswered, 10, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_servers_of_forty_one_that_refuse_cost_no_round() {
    cost_only_the_first_rounds(Fault::Refusing, 40, 41).await;
}

// === With FAULTS=all ===

/// Fleets at the default timeouts, all at the same time: hung servers, and how many servers there are. Mostly they wait.
async fn at_the_default_timeouts(fault: Fault, fleets: [(usize, usize); 3]) {
    let met = fleets.map(async |(hung, of)| violations(fault, hung, of, &FULL).await);
    let violations = join_all(met).await.concat();
    assert!(violations.is_empty(), "{violations:#?}");
}

const HUNG: [(usize, usize); 3] = [(10, 12), (40, 41), (200, 201)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_servers_cost_only_the_first_rounds_at_the_default_timeouts() {
    let Some(()) = heavy(WHY) else { return };
    at_the_default_timeouts(Fault::Silent, HUNG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_whose_syn_is_unanswered_cost_only_the_first_rounds_at_the_default_timeouts() {
    let Some(()) = heavy(WHY) else { return };
    at_the_default_timeouts(Fault::SynUnanswered, HUNG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_whose_name_is_unknown_cost_only_the_first_rounds_at_the_default_timeouts() {
    let Some(()) = heavy(WHY) else { return };
    at_the_default_timeouts(Fault::Unresolvable, HUNG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_whose_name_is_unanswered_cost_only_the_first_rounds_at_the_default_timeouts() {
    let (Some(()), Some(())) = (heavy(WHY), namespaces(WHY_NAMES)) else { return };
    at_the_default_timeouts(Fault::NameUnanswered, HUNG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_refuse_cost_no_round_at_the_default_timeouts() {
    let Some(()) = heavy(WHY) else { return };
    at_the_default_timeouts(Fault::Refusing, [(10, 12), (40, 41), (200, 201)]).await;
}

/// One client at a time, with time to spare: what a round of 900 attempts takes is the processor's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_hundred_servers_that_refuse_cost_no_round() {
    let Some(()) = heavy("hundreds of attempts in one round") else { return };
    let limits = Limits { round: 6 * Limits::DEFAULT.round, ..Limits::DEFAULT };
    for strategies in STRATEGIES.chunks(1) {
        let scale = Scale { strategies, limits, later: 50, ..FULL };
        let violations = violations(Fault::Refusing, 900, 901, &scale).await;
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

// === The judge can say no ===

#[test]
fn rounds_beyond_the_bounds_are_found() {
    let took = |outcome, millis| Round { outcome, took: Duration::from_millis(millis) };
    let lost = || took(Outcome::Lost("round 1: out of time".into()), 1500);
    let answered = |attempts, millis| took(Outcome::Answered { attempts }, millis);
    let bounds = Bounds::of(Fault::Silent, 10, &QUICK);
    assert_eq!((bounds.lost_at_first, bounds.failed_attempts), (2, 1));
    for good in [
        &[lost(), lost()][..],
        &[lost(), lost(), answered(1, 20), answered(2, 320)],
        // A busy machine; and failures that cost nothing.
        &[answered(4, 920), answered(2, 3000), answered(4, 100)],
    ] {
        assert_eq!(bounds.judge(good), Ok(()), "{good:?}");
    }
    for bad in
        [&[lost(), lost(), lost()][..], &[answered(1, 20), lost()], &[answered(1, 20), answered(3, 620)]]
    {
        assert!(bounds.judge(bad).is_err(), "{bad:?}");
    }
    let syn = Bounds::of(Fault::SynUnanswered, 200, &FULL);
    assert_eq!((syn.lost_at_first, syn.failed_attempts), (13, 3));
    assert_eq!(Bounds::of(Fault::Refusing, 900, &FULL).lost_at_first, 0);
}
