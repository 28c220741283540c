//! One of three servers is silent, and a whole round has as much time as an attempt, a little less, or a little more.

use std::time::Duration;

use futures_util::future::join_all;
use system_tests::{Verdict, heavy, require_that};
use zk_testing::SOON;

use crate::asking::{Limits, Outcome, QUICK_STRATEGIES, Round, STRATEGIES};
use crate::fleet::{Fault, Fleet};
use crate::world::World;

const ROUNDS: usize = 60;

/// What calls each of the servers sooner or later. Others may never call the silent one: it is not the owner of the key, or
/// not the one they stick to.
const CALL_EVERY_SERVER: [&str; 2] = ["random", "round-robin"];

/// The first meeting, and one more for each silent server: where nothing but a call can tell whether it is well again.
const MOST_LOST: usize = 1 + 1;

fn judge(rounds: &[Round]) -> Verdict {
    let lost: Vec<_> = rounds.iter().filter(|round| round.is_lost()).collect();
    require_that!(lost.len() <= MOST_LOST, "{} of {} rounds are lost: {lost:?}", lost.len(), rounds.len());
    Ok(())
}

/// Whether the silent server has cost anything: it must be met to show something.
fn was_met(rounds: &[Round]) -> bool {
    let costs = |round: &Round| round.outcome != Outcome::Answered { attempts: 1 };
    rounds.iter().any(costs)
}

async fn a_silent_server_costs_only_its_first_rounds(
    limits: Limits,
    rounds_take: [Duration; 3],
    strategies: &[&'static str],
) {
    let world = World::start(2, Fleet::start(Fault::Silent, 1).await).await;
    let cases = rounds_take
        .into_iter()
        .flat_map(|round| strategies.iter().map(move |strategy| (Limits { round, ..limits }, *strategy)));
    let asked = cases.map(async |(limits, strategy)| {
        let client = world.ask(strategy, limits, ROUNDS, "20ms");
        let within = SOON + limits.round * u32::try_from(ROUNDS).unwrap();
        let case = format!("{:?} for a round, {:?} for an attempt, {strategy}", limits.round, limits.attempt);
        let rounds =
            client.follow(ROUNDS, within, judge).await.map_err(|error| format!("{case}: {error}"))?;
        let lost = rounds.iter().filter(|round| round.is_lost()).count();
        println!("{case}: {lost} of {ROUNDS} rounds are lost");
        let must_meet = CALL_EVERY_SERVER.contains(&strategy);
        require_that!(!must_meet || was_met(&rounds), "{case}: the silent server was not met");
        Ok::<_, String>(())
    });
    let violations: Vec<_> = join_all(asked).await.into_iter().filter_map(Result::err).collect();
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_costs_only_its_first_rounds_whatever_time_a_round_has() {
    let limits = Limits::SHORT;
    let (below, above) = (limits.attempt * 2 / 3, limits.attempt + Duration::from_millis(30));
    let rounds = [below, limits.attempt, above];
    a_silent_server_costs_only_its_first_rounds(limits, rounds, QUICK_STRATEGIES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_costs_only_its_first_rounds_at_the_default_timeouts() {
    let Some(()) = heavy("rounds about as long as an attempt, at the default timeouts") else { return };
    let limits = Limits::DEFAULT;
    let (below, above) = (limits.attempt / 5, limits.attempt + Duration::from_millis(50));
    let rounds = [below, limits.attempt, above];
    a_silent_server_costs_only_its_first_rounds(limits, rounds, &STRATEGIES).await;
}
