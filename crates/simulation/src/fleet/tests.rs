#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use oracle::{Called, What};

use super::*;
use crate::plan::{Act, Callee, Caller, Loss, ServerKind, Spec, Step, Trouble, Who};

fn spec() -> Spec {
    let server = |weight: u32| Callee {
        kind: ServerKind::Kept,
        vouches: weight.is_multiple_of(2),
        weight,
        shares_watch: false,
    };
    let client =
        |strategy: u8| Caller { records: strategy != 3, strategy, idempotent: strategy.is_multiple_of(2) };
    Spec {
        servers: (0..4).map(|n| server(100 + n)).collect(),
        clients: (0..3).map(client).collect(),
        ensemble: 1,
        old: false,
        refuses_recursive: false,
        event_zxids: false,
        tick_ms: 500,
        session_timeout_ms: 4_000,
        round_trip_ms: (1, 5),
        reply_lag_ms: 3,
        follower_lag_ms: 0,
    }
}

fn plan(seed: u64, acts: impl IntoIterator<Item = (u64, Act)>) -> Plan {
    let steps = acts.into_iter().map(|(after_ms, act)| Step { after_ms, act }).collect();
    Plan { seed, spec: spec(), steps }
}

fn bad_day(seed: u64) -> Plan {
    plan(
        seed,
        [
            (2_000, Act::Cut(Who::Server(0))),
            (300, Act::Expire(Who::Server(1))),
            (500, Act::Kill(2)),
            (700, Act::Callee(3, Trouble::Hangs, 2_000)),
            (100, Act::Isolate(Who::Client(0), 1_500)),
            (1_000, Act::Start(2)),
            (900, Act::LoseWrite(Who::Server(0), Loss::Reply)),
            (100, Act::DeleteAll),
            (1_000, Act::Stop(1)),
            (400, Act::Away(3_000)),
            (5_000, Act::Pause(Who::Server(3), 2_500)),
            (1_000, Act::Crowd(20, 1_000)),
            (1_000, Act::Reweigh(0, 7)),
            (1_000, Act::Drain(0, true)),
        ],
    )
}

#[test]
fn a_bad_day_happens_and_its_calls_are_answered() {
    let run = run(&bad_day(7));
    if std::env::var_os("STORY").is_some() {
        run.story().iter().for_each(|line| println!("{line}"));
    }
    let mut kinds = BTreeMap::<String, u64>::new();
    let (mut answered, mut failed) = (0, 0);
    for record in &run.history.records {
        let kind = serde_json::to_value(&record.what).unwrap()["kind"].to_string();
        *kinds.entry(kind).or_default() += 1;
        match &record.what {
            What::Called { outcome: Called::Answered { .. }, .. } => answered += 1,
            What::Called { .. } => failed += 1,
            _ => {}
        }
    }
    println!("{kinds:?} {answered} {failed} {:?}", run.faults);
    assert!(answered > 300, "{answered} {failed}");
    assert_eq!(run.history.records.last().unwrap().what, What::End);
}

#[test]
fn a_plan_has_one_history() {
    for seed in 0..5 {
        let (one, other) = (run(&bad_day(seed)), run(&bad_day(seed)));
        zk_simulated::assert_same_lines(&one.story(), &other.story());
        assert_eq!(one.history, other.history);
    }
}
