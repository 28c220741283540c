use std::time::Duration;

use zk_core::{ErrorKind, EventKind};

use super::*;
use crate::status::Holder;

fn conflict() -> Effect {
    report(RegistrationStatus::Conflict(Holder { session: Some(THEIRS), owner: Some(owner(2)) }))
}

/// A keeper whose name another owner has.
fn in_conflict(watched: Watched) -> Bench {
    let mut bench = Bench::creating(watched);
    bench.feed(failed(ErrorKind::NodeExists));
    assert_eq!(bench.feed(done()), [look(watched == OWN)]);
    assert_eq!(bench.feed(found(of(THEIRS))), [Effect::Request(Request::Data(of(THEIRS)))]);
    assert_eq!(bench.feed(read("x", Some(owner(2)), of(THEIRS))), [conflict(), Effect::Release]);
    bench
}

#[test]
fn the_name_of_another_owner_is_looked_at_when_it_is_free_and_after_a_growing_wait() {
    for watched in [OWN, SHARED] {
        let mut bench = in_conflict(watched);
        let freed = match watched {
            OWN => bench.feed(Input::Fired(EventKind::Deleted)),
            _ => bench.count_deletion(),
        };
        assert_eq!(freed, [acquire(Permit::Step)]);
        assert_eq!(bench.feed(Input::Permit), [look(watched == OWN)]);
        assert_eq!(bench.feed(missing()), [pending(), create("a")]);
    }
    let mut bench = in_conflict(SHARED);
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let wait = bench.wait();
        assert!(wait >= Duration::from_millis(500) && wait <= AUDIT, "{wait:?}");
        longest = longest.max(wait);
        assert_eq!(bench.step(Input::Timer, Permit::Step), [look(false)]);
        bench.feed(found(of(THEIRS)));
        assert_eq!(bench.feed(read("x", Some(owner(2)), of(THEIRS))), [Effect::Release]);
    }
    assert!(longest > AUDIT / 2, "{longest:?}");
}

#[test]
fn an_update_of_the_holder_does_not_free_the_name_and_its_end_does() {
    let mut bench = in_conflict(SHARED);
    assert_eq!(bench.count_write(), []);
    assert_eq!(bench.machine.deadline().unwrap() - bench.moment.now, Duration::from_millis(500));
    assert_eq!(bench.count_deletion(), [acquire(Permit::Step)]);
    let mut bench = in_conflict(OWN);
    bench.feed(Input::Fired(EventKind::DataChanged));
    assert_eq!(bench.wait(), Duration::from_millis(500));
    assert_eq!(bench.step(Input::Timer, Permit::Step), [look(true)]);
}

#[test]
fn an_update_in_a_conflict_waits_for_the_name() {
    let mut bench = in_conflict(SHARED);
    assert_eq!(bench.feed(present("b")), []);
    bench.wait();
    bench.step(Input::Timer, Permit::Step);
    assert_eq!(bench.feed(missing()), [pending(), create("b")]);
}

#[test]
fn a_conflict_is_looked_at_on_another_ready_connection_and_is_pending_without_one() {
    let mut bench = in_conflict(SHARED);
    assert_eq!(bench.step(ready(2, SHARED), Permit::Step), [look(false)]);
    let mut bench = in_conflict(SHARED);
    assert_eq!(bench.feed(Input::Down), [pending()]);
    let mut bench = in_conflict(SHARED);
    let trouble = trouble(TroubleKind::Denied);
    let troubled = [pending(), troubled(TroubleKind::Denied)];
    assert_eq!(bench.feed(Input::Unprepared(Some(trouble))), troubled);
}

#[test]
fn an_owner_that_hides_its_data_is_unknown() {
    let mut bench = Bench::creating(SHARED);
    bench.feed(failed(ErrorKind::NodeExists));
    bench.feed(done());
    bench.feed(found(of(THEIRS)));
    let holder = report(RegistrationStatus::Conflict(Holder { session: Some(THEIRS), owner: None }));
    assert_eq!(bench.feed(failed(ErrorKind::Denied)), [holder, Effect::Release]);
}

/// A keeper that has found a stale znode of ours.
fn taking_over() -> Bench {
    let mut bench = Bench::creating(SHARED);
    bench.feed(failed(ErrorKind::NodeExists));
    bench.feed(done());
    bench.feed(found(of(THEIRS)));
    let take_over = Request::TakeOver { record: record("a"), seen: of(THEIRS) };
    assert_eq!(bench.feed(read("x", Some(owner(1)), of(THEIRS))), [Effect::Request(take_over)]);
    bench
}

#[test]
fn the_deletion_in_our_take_over_is_no_loss_whenever_its_event_comes() {
    for when in 0..3 {
        let mut bench = taking_over();
        if when == 0 {
            assert_eq!(bench.count_deletion(), []);
        }
        assert_eq!(bench.feed(done()), [Effect::Note(Fact::TakenOver), look(false)]);
        if when == 1 {
            assert_eq!(bench.count_deletion(), []);
        }
        assert_eq!(bench.feed(found(stat(0))), [Effect::Request(Request::Data(stat(0)))]);
        let session = OURS;
        let status = RegistrationStatus::Registered { czxid: stat(0).czxid, session };
        let reported = Effect::Report { status, took_over: Some(THEIRS) };
        assert_eq!(bench.feed(read("a", Some(owner(1)), stat(0))), [reported, Effect::Release]);
        if when == 2 {
            assert_eq!(bench.count_deletion(), []);
        }
        assert_eq!(bench.count_deletion(), [pending(), acquire(Permit::Step)], "the next one is");
    }
}

#[test]
fn a_take_over_that_fails_is_repeated_or_looked_into() {
    let mut bench = taking_over();
    let waits = [noted(TroubleKind::TakeOverDenied), troubled(TroubleKind::TakeOverDenied), Effect::Release];
    assert_eq!(bench.feed(failed(ErrorKind::Denied)), waits);
    assert_eq!(bench.count_deletion(), [acquire(Permit::Step)], "the old session has ended");
    let mut bench = taking_over();
    assert_eq!(bench.feed(failed(ErrorKind::BadVersion)), [Effect::Request(Request::Sync)]);
}

#[test]
fn a_rival_that_comes_between_our_create_and_the_first_look_is_left_alone() {
    let rivalled = || {
        let mut bench = Bench::creating(OWN);
        assert_eq!(bench.feed(written(stat(0))), [Effect::Note(Fact::Created), look(true)]);
        bench.feed(found(of(THEIRS)));
        assert_eq!(bench.feed(read("x", Some(owner(2)), of(THEIRS))), [conflict(), Effect::Release]);
        bench
    };
    let mut bench = rivalled();
    bench.wait();
    assert_eq!(bench.step(Input::Timer, Permit::Step), [look(true)]);
    assert_eq!(rivalled().step(leave(), Permit::Leave), [look(false)]);
}

#[test]
fn a_znode_of_another_owner_that_was_overwritten_unawares_is_not_taken_over() {
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
    let told = Effect::Note(Fact::Updated { version: 0 });
    assert_eq!(bench.feed(written(of(THEIRS))), [told, look(false)]);
    bench.feed(found(of(THEIRS)));
    let holder =
        report(RegistrationStatus::Conflict(Holder { session: Some(THEIRS), owner: Some(owner(1)) }));
    assert_eq!(bench.feed(read("b", Some(owner(1)), of(THEIRS))), [holder, Effect::Release]);
}
