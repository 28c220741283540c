use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use zk_core::{ErrorKind, EventKind, SessionId};

use super::*;

fn on(number: u64, connection: ConnectionId, unchanged_since: u64) -> Input {
    Input::Ready(Ready { number, on: connection, watched: Watched::Shared { unchanged_since } })
}

fn unprepared() -> Input {
    Input::Unprepared(Some(trouble(TroubleKind::Denied)))
}

#[test]
fn a_shared_watch_confirms_a_registration_without_a_read() {
    for end in [Some(Input::Down), Some(Input::Unprepared(None)), None] {
        let mut bench = Bench::registered(SHARED);
        if let Some(end) = end {
            bench.feed(end);
        }
        let next = bench.feed(on(2, connection(1, 1), 1));
        assert!(!next.iter().any(|effect| matches!(effect, Effect::Request(_) | Effect::Acquire(_))));
        assert!(bench.machine.deadline().is_some(), "registered, with audits");
        // With the version that is known, and under the watch of this connection.
        assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
        bench.feed(written(stat(1)));
        assert_eq!(bench.count_write(), [], "our own");
        assert_eq!(bench.count_deletion(), [pending(), acquire(Permit::Step)]);
    }
    let mut bench = Bench::registered(SHARED);
    bench.feed(on(2, connection(1, 1), 1));
    assert_eq!(bench.count_deletion(), [pending(), acquire(Permit::Step)]);
}

#[test]
fn a_registration_that_is_not_confirmed_is_looked_at() {
    // Something below the root has changed.
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.feed(Input::Down), [report(RegistrationStatus::Unconfirmed)]);
    assert_eq!(bench.step(on(2, connection(1, 1), 2), Permit::Step), [look(false)]);
    assert_eq!(bench.feed(found(stat(0))), [registered(), Effect::Release]);
    // The znode itself has, before the watch ended.
    let mut bench = Bench::registered(SHARED);
    bench.moment.counts.deleted += 1;
    bench.feed(Input::Down);
    assert_eq!(bench.step(on(2, connection(1, 1), 1), Permit::Step), [look(false)]);
    // It had its own watch.
    let mut bench = Bench::registered(OWN);
    bench.feed(Input::Down);
    assert_eq!(bench.step(on(2, connection(1, 1), 1), Permit::Step), [look(false)]);
    // A write was under way.
    let mut bench = Bench::registered(SHARED);
    bench.step(present("b"), Permit::Step);
    assert_eq!(bench.feed(Input::Down), [report(RegistrationStatus::Unconfirmed)]);
    assert_eq!(bench.feed(lost()), [Effect::Release]);
    assert_eq!(bench.step(on(2, connection(1, 1), 1), Permit::Step), [look(false)]);
}

#[test]
fn in_a_new_session_the_znode_is_created_again() {
    let mut bench = Bench::registered(SHARED);
    bench.feed(Input::Down);
    let connection = ConnectionId { session: SessionId(9), ..connection(2, 1) };
    assert_eq!(bench.step(on(2, connection, 1), Permit::Step), [pending(), create("a")]);
}

#[test]
fn a_watch_that_cannot_be_set_again_leaves_a_registration_unconfirmed() {
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.feed(Input::Unprepared(None)), [], "for the moment");
    assert_eq!(bench.feed(unprepared()), [report(RegistrationStatus::Unconfirmed)]);
    assert_eq!(bench.feed(on(2, connection(1, 0), 1)), [registered()]);
    assert_eq!(bench.feed(unprepared()), [report(RegistrationStatus::Unconfirmed)]);
    // With an update under way, too.
    let mut bench = Bench::registered(SHARED);
    bench.step(present("b"), Permit::Step);
    assert_eq!(bench.feed(unprepared()), [report(RegistrationStatus::Unconfirmed)]);
    assert_eq!(bench.feed(written(stat(1))), [Effect::Note(Fact::Updated { version: 1 }), Effect::Release]);
    assert_eq!(bench.step(on(2, connection(1, 0), 1), Permit::Step), [look(false)]);
    assert_eq!(bench.feed(found(stat(1))), [registered(), Effect::Release]);
}

#[test]
fn the_trouble_of_the_root_watch_is_that_of_pending_registrations() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.feed(unprepared()), [troubled(TroubleKind::Denied)]);
    // Own watches go on without it.
    let mut bench = Bench::registered(OWN);
    assert_eq!(bench.feed(unprepared()), []);
    assert_eq!(bench.feed(Input::Fired(EventKind::Deleted)), [pending(), acquire(Permit::Step)]);
}

#[test]
fn an_own_watch_goes_on_beside_a_shared_one() {
    let mut bench = Bench::registered(OWN);
    assert_eq!(bench.feed(ready(2, SHARED)), []);
    bench.moment.counts.written += 1;
    assert_eq!(bench.feed(Input::Counted), [], "its own watch reports it");
    // From an update on the shared one serves it.
    assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
    let done = bench.feed(written(stat(1)));
    assert_eq!(done, [Effect::Note(Fact::Updated { version: 1 }), Effect::Release]);
    assert_eq!(bench.count_write(), [], "our own");
    assert_eq!(bench.count_deletion(), [pending(), acquire(Permit::Step)]);
}

#[test]
fn a_write_during_which_the_shared_watch_was_replaced_is_looked_at() {
    let mut bench = Bench::registered(SHARED);
    bench.step(present("b"), Permit::Step);
    bench.feed(Input::Unprepared(None));
    assert_eq!(bench.feed(on(2, connection(1, 0), 1)), []);
    let done = bench.feed(written(stat(1)));
    assert_eq!(done, [Effect::Note(Fact::Updated { version: 1 }), look(false)]);
}

#[test]
fn a_reply_of_a_connection_that_was_replaced_leads_to_a_look_on_the_new_one() {
    let mut bench = Bench::creating(SHARED);
    assert_eq!(bench.feed(on(2, connection(1, 1), 2)), []);
    assert_eq!(bench.feed(written(stat(0))), [Effect::Note(Fact::Created), look(false)]);
    let mut bench = Bench::creating(SHARED);
    bench.feed(on(2, connection(1, 1), 2));
    assert_eq!(bench.feed(lost()), [look(false)]);
}

#[test]
fn a_watch_whose_connection_ended_before_the_reply_covers_nothing() {
    let mut bench = Bench::creating(OWN);
    assert_eq!(bench.feed(written(stat(0))), [Effect::Note(Fact::Created), look(true)]);
    bench.feed(Input::Down);
    assert_eq!(bench.feed(found(stat(0))), [Effect::Release]);
    let ready = Ready { number: 2, on: connection(1, 1), watched: OWN };
    assert_eq!(bench.step(Input::Ready(ready), Permit::Step), [look(true)]);
}

#[test]
fn without_a_connection_every_stage_waits_for_one() {
    let mut queued = Bench::new(false);
    queued.feed(ready(1, SHARED));
    assert_eq!(queued.feed(Input::Down), [Effect::Release]);
    let mut waiting = Bench::waiting(SHARED);
    assert_eq!(waiting.feed(Input::Down), []);
    let mut registered = Bench::registered(SHARED);
    assert_eq!(registered.feed(Input::Down), [report(RegistrationStatus::Unconfirmed)]);
    let mut asking = Bench::creating(SHARED);
    assert_eq!(asking.feed(Input::Down), []);
    assert_eq!(asking.feed(lost()), [Effect::Release]);
    for mut bench in [queued, waiting, registered, asking] {
        assert_eq!((bench.machine.deadline(), bench.machine.wants_connection()), (None, false));
        assert_eq!(bench.feed(Input::Linked(connection(1, 1))), [], "not prepared");
        assert_eq!(bench.feed(on(2, connection(1, 1), 2)), [acquire(Permit::Step)]);
    }
}

#[test]
fn a_closed_link_and_a_lost_registrar_end_every_stage() {
    for (number, mut bench) in
        [Bench::creating(OWN), Bench::waiting(OWN), Bench::registered(OWN)].into_iter().enumerate()
    {
        let (end, status) = match number {
            0 => (Input::Closed { clean: true }, RegistrationStatus::Deregistered),
            1 => (Input::Closed { clean: false }, RegistrationStatus::Abandoned),
            _ => (Input::Orphaned, RegistrationStatus::Abandoned),
        };
        assert_eq!(bench.feed(end), [Effect::Finish(status)]);
        assert_eq!(bench.feed(leave()), []);
    }
    let mut bench = Bench::new(false);
    let end = bench.feed(Input::Closed { clean: false });
    assert_eq!(end, [Effect::Finish(RegistrationStatus::Deregistered)], "no znode was ever created");
}

#[test]
fn a_permit_that_nobody_waits_for_is_given_back() {
    assert_eq!(Bench::new(false).feed(Input::Permit), [Effect::Release]);
}

/// One input of many, whatever the machine asks for.
fn any_input(rng: &mut SmallRng) -> Input {
    let version = rng.random_range(0..3);
    match rng.random_range(0..26) {
        0 => present("b"),
        1 => present("c"),
        2 if rng.random_bool(0.1) => leave(),
        3 | 4 => on(version as u64 + 1, connection(1 + u64::from(rng.random_bool(0.1)), 0), 1),
        5 => ready(version as u64 + 1, OWN),
        6 => Input::Unprepared(None),
        7 => unprepared(),
        8 => Input::Down,
        9 => Input::Linked(connection(1, 2)),
        10 => Input::Orphaned,
        11 => Input::Closed { clean: rng.random_bool(0.5) },
        12 | 13 => Input::Permit,
        14 => Input::Fired(EventKind::Deleted),
        15 => Input::Fired(EventKind::DataChanged),
        16 => Input::Counted,
        17 => Input::Timer,
        18 => found(if rng.random_bool(0.5) { stat(version) } else { of(THEIRS) }),
        19 => missing(),
        20 => written(stat(version)),
        21 => read("x", Some(owner(rng.random_range(1..3))), overwritten(version)),
        22 => done(),
        23 => lost(),
        24 => unanswered(),
        _ => failed([ErrorKind::NoNode, ErrorKind::NodeExists, ErrorKind::Denied][version as usize].clone()),
    }
}

#[test]
fn every_input_is_handled_in_every_stage_and_the_same_seed_has_the_same_effects() {
    let run = |seed| {
        let (mut rng, mut bench) = (SmallRng::seed_from_u64(seed), Bench::new(true));
        let began = bench.moment.now;
        let mut effects = Vec::new();
        let (mut waits, mut holds) = (false, false);
        for _ in 0..60 {
            bench.moment.now += std::time::Duration::from_millis(rng.random_range(0..900));
            bench.moment.counts.deleted += u32::from(rng.random_bool(0.1));
            bench.moment.counts.written += u32::from(rng.random_bool(0.2));
            let input = any_input(&mut rng);
            if matches!(input, Input::Permit) {
                if !waits {
                    continue;
                }
                (waits, holds) = (false, true);
            }
            let next = bench.feed(input);
            let requests = next.iter().filter(|effect| matches!(effect, Effect::Request(_))).count();
            assert!(requests <= 1, "{next:?}");
            for effect in &next {
                match effect {
                    Effect::Acquire(_) => assert!(!std::mem::replace(&mut waits, true) || !holds, "{next:?}"),
                    Effect::Release => (waits, holds) = (false, false),
                    Effect::Request(Request::Audit) => assert!(!holds, "{next:?}"),
                    Effect::Request(_) => assert!(holds && !waits, "{next:?}"),
                    _ => {}
                }
                assert!(!(waits && holds), "{next:?}");
            }
            let deadline = bench.machine.deadline().map(|at| at.saturating_duration_since(began));
            effects.push(format!("{next:?} {deadline:?}"));
        }
        effects
    };
    for seed in 0..2_000 {
        assert_eq!(run(seed), run(seed));
    }
}
