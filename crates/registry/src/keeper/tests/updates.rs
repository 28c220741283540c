use std::time::Duration;

use zk_core::{ErrorKind, EventKind};

use super::*;

fn updated(version: i32) -> Effect {
    Effect::Note(Fact::Updated { version })
}

fn restored(version: i32) -> Effect {
    Effect::Note(Fact::Restored { version })
}

#[test]
fn updates_that_are_faster_than_a_round_trip_coalesce_into_one_write_after_another() {
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
    for text in ["c", "d", "e"] {
        assert_eq!(bench.feed(present(text)), []);
    }
    // Without a read, and with its own permit.
    assert_eq!(bench.feed(written(stat(1))), [updated(1), write("e", 1, true)]);
    assert_eq!(bench.feed(written(stat(2))), [updated(2), Effect::Release]);
}

#[test]
fn the_own_watch_is_set_again_after_the_last_of_several_updates() {
    let mut bench = Bench::registered(OWN);
    assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
    assert_eq!(bench.feed(Input::Fired(EventKind::DataChanged)), [], "our own write");
    assert_eq!(bench.feed(present("c")), []);
    assert_eq!(bench.feed(written(stat(1))), [updated(1), write("c", 1, true)]);
    assert_eq!(bench.feed(written(stat(2))), [updated(2), look(true)]);
    assert_eq!(bench.feed(Input::Fired(EventKind::DataChanged)), [], "our own write");
    assert_eq!(bench.feed(found(stat(2))), [Effect::Release], "nobody wrote in between");
    // From here on it is another client's.
    assert_eq!(bench.feed(Input::Fired(EventKind::DataChanged)), []);
    assert!(bench.wait() <= Duration::from_millis(50));
    assert_eq!(bench.step(Input::Timer, Permit::Step), [look(true)]);
}

#[test]
fn a_registration_that_is_updated_all_the_time_is_registered_all_the_same() {
    let mut bench = Bench::creating(OWN);
    bench.feed(present("b"));
    assert_eq!(bench.feed(written(stat(0))), [Effect::Note(Fact::Created), look(true)]);
    bench.feed(present("c"));
    assert_eq!(bench.feed(found(stat(0))), [registered(), write("c", 0, true)]);
}

#[test]
fn one_event_is_that_of_our_own_write_whenever_it_comes() {
    for event_first in [false, true] {
        let mut bench = Bench::registered(SHARED);
        assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
        if event_first {
            assert_eq!(bench.count_write(), []);
        }
        assert_eq!(bench.feed(written(stat(1))), [updated(1), Effect::Release]);
        if !event_first {
            assert_eq!(bench.count_write(), []);
        }
        let audit = bench.machine.deadline();
        // The next one is another client's.
        assert_eq!(bench.count_write(), []);
        assert!(bench.machine.deadline() < audit, "looks soon");
        bench.wait();
        assert_eq!(bench.step(Input::Timer, Permit::Step), [look(false)]);
        assert_eq!(bench.feed(found(overwritten(2))), [Effect::Request(Request::Data(overwritten(2)))]);
        assert_eq!(bench.feed(read("x", None, overwritten(2))), [write("b", 2, false)]);
        assert_eq!(bench.feed(written(stat(3))), [restored(3), Effect::Release]);
    }
}

#[test]
fn another_clients_write_in_the_round_trip_of_ours_is_found() {
    // Before ours.
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
    assert_eq!(bench.count_write(), []);
    assert_eq!(bench.feed(failed(ErrorKind::BadVersion)), [Effect::Request(Request::Sync)]);
    assert_eq!(bench.feed(done()), [look(false)]);
    assert_eq!(bench.feed(found(overwritten(1))), [Effect::Request(Request::Data(overwritten(1)))]);
    assert_eq!(bench.feed(read("x", None, overwritten(1))), [write("b", 1, false)]);
    // After ours.
    bench.count_write();
    bench.count_write();
    assert_eq!(bench.feed(written(stat(2))), [restored(2), Effect::Release]);
    assert!(bench.wait() <= Duration::from_millis(50));
    assert_eq!(bench.step(Input::Timer, Permit::Step), [look(false)]);
    assert_eq!(bench.feed(found(stat(2))), [Effect::Release], "it was ours in the end");
}

#[test]
fn an_update_of_a_znode_that_was_deleted_creates_it_again() {
    let mut bench = Bench::registered(OWN);
    assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
    assert_eq!(bench.feed(failed(ErrorKind::NoNode)), [Effect::Request(Request::Sync)]);
    assert_eq!(bench.feed(done()), [look(true)]);
    assert_eq!(bench.feed(missing()), [Effect::Note(Fact::Lost), pending(), create("b")]);
}

#[test]
fn an_update_whose_outcome_is_unknown_is_resolved_by_a_look() {
    for was_done in [false, true] {
        let mut bench = Bench::registered(SHARED);
        bench.step(present("b"), Permit::Step);
        let waits = [noted(TroubleKind::Unanswered), troubled(TroubleKind::Unanswered), Effect::Release];
        assert_eq!(bench.feed(unanswered()), waits);
        bench.wait();
        assert_eq!(bench.step(Input::Timer, Permit::Step), [look(false)]);
        if was_done {
            assert_eq!(bench.feed(found(stat(1))), [Effect::Request(Request::Data(stat(1)))]);
            assert_eq!(bench.feed(read("b", Some(owner(1)), stat(1))), [registered(), Effect::Release]);
        } else {
            assert_eq!(bench.feed(found(stat(0))), [write("b", 0, true)]);
        }
    }
}

#[test]
fn a_refused_update_stays_pending_and_another_one_is_tried_at_once() {
    let mut bench = Bench::registered(SHARED);
    bench.step(present("b"), Permit::Step);
    let waits = [noted(TroubleKind::Denied), troubled(TroubleKind::Denied), Effect::Release];
    assert_eq!(bench.feed(failed(ErrorKind::Denied)), waits);
    assert_eq!(bench.step(present("c"), Permit::Step), [look(false)]);
    assert_eq!(bench.feed(found(stat(0))), [write("c", 0, true)], "and not registered in between");
    assert_eq!(bench.feed(written(stat(1))), [updated(1), registered(), Effect::Release]);
}

#[test]
fn an_update_to_what_is_on_the_znode_costs_nothing() {
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.feed(present("b")), [acquire(Permit::Step)]);
    assert_eq!(bench.feed(present("a")), []);
    assert_eq!(bench.feed(Input::Permit), [Effect::Release]);
}

#[test]
fn a_change_while_an_update_waits_for_its_permit_is_looked_into_first() {
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.feed(present("b")), [acquire(Permit::Step)]);
    assert_eq!(bench.count_write(), []);
    assert_eq!(bench.feed(Input::Permit), [look(false)]);
}

#[test]
fn an_update_waits_for_no_watch() {
    let mut bench = Bench::registered(OWN);
    bench.moment.needs_shared_watch = true;
    assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
    assert_eq!(bench.feed(written(stat(1))), [updated(1), look(true)]);
}

#[test]
fn an_event_of_ours_that_was_lost_hides_no_other_after_an_audit() {
    let mut bench = Bench::registered(SHARED);
    bench.step(present("b"), Permit::Step);
    bench.feed(written(stat(1)));
    bench.wait();
    bench.feed(Input::Timer);
    bench.feed(Input::Reply(Ok(Reply::Audit(Some(stat(1))))));
    let audit = bench.machine.deadline();
    bench.count_write();
    assert!(bench.machine.deadline() < audit, "looks soon");
}

#[test]
fn an_update_overtakes_an_audit() {
    let mut bench = Bench::registered(SHARED);
    bench.wait();
    bench.feed(Input::Timer);
    assert_eq!(bench.step(present("b"), Permit::Step), [write("b", 0, true)]);
}

#[test]
fn data_that_is_overwritten_again_and_again_is_restored_more_and_more_slowly() {
    let mut bench = Bench::registered(OWN);
    let (mut waits, mut version) = (Vec::new(), 0);
    for _ in 0..12 {
        bench.feed(Input::Fired(EventKind::DataChanged));
        waits.push(bench.wait());
        version += 1;
        assert_eq!(bench.step(Input::Timer, Permit::Step), [look(true)]);
        bench.feed(found(overwritten(version)));
        let read = read("x", None, overwritten(version));
        assert_eq!(bench.feed(read), [write("a", version, false)]);
        version += 1;
        assert_eq!(bench.feed(written(stat(version))), [restored(version), look(true)]);
        // Overwritten again before the look.
        version += 1;
        bench.feed(found(overwritten(version)));
        assert_eq!(bench.feed(super::read("x", None, overwritten(version))), [Effect::Release]);
        waits.push(bench.wait());
        assert_eq!(bench.step(Input::Timer, Permit::Step), [look(true)]);
        bench.feed(found(overwritten(version)));
        assert_eq!(
            bench.feed(super::read("x", None, overwritten(version))),
            [write("a", version, false)],
            "but restored"
        );
        version += 1;
        assert_eq!(bench.feed(written(stat(version))), [restored(version), look(true)]);
        assert_eq!(bench.feed(found(stat(version))), [Effect::Release]);
    }
    assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(1)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait > Duration::from_millis(300)), "{waits:?}");
    // After a while without a change the next one is restored at once.
    bench.moment.now += Duration::from_secs(11);
    bench.feed(Input::Fired(EventKind::DataChanged));
    assert!(bench.wait() <= Duration::from_millis(50));
}

#[test]
fn a_write_that_ends_the_connection_twice_waits_and_other_data_does_not() {
    let mut bench = Bench::creating(SHARED);
    for reconnects in 1..=2 {
        assert_eq!(bench.feed(lost()), [Effect::Release]);
        let ready = Ready { number: 1 + reconnects, on: connection(1, reconnects), watched: SHARED };
        assert_eq!(bench.step(Input::Ready(ready), Permit::Step), [look(false)]);
        let next = bench.feed(missing());
        if reconnects == 1 {
            assert_eq!(next, [create("a")]);
        } else {
            let waits = [noted(TroubleKind::CutOff), troubled(TroubleKind::CutOff), Effect::Release];
            assert_eq!(next, waits);
        }
    }
    let wait = bench.machine.deadline().unwrap() - bench.moment.now;
    assert!(wait >= Duration::from_millis(750), "{wait:?}");
    assert_eq!(bench.step(present("b"), Permit::Step), [look(false)]);
    assert_eq!(bench.feed(missing()), [create("b")]);
}

#[test]
fn an_update_that_came_while_another_one_was_refused_is_tried_at_once() {
    let mut bench = Bench::registered(SHARED);
    bench.step(present("b"), Permit::Step);
    assert_eq!(bench.feed(present("c")), []);
    let refused = bench.feed(failed(ErrorKind::Denied));
    assert_eq!(refused[2..], [Effect::Release, acquire(Permit::Step)]);
    bench.feed(Input::Permit);
    assert_eq!(bench.feed(found(stat(0))), [write("c", 0, true)]);
}

#[test]
fn a_deletion_is_reported_at_once_also_while_a_step_waits() {
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.feed(present("b")), [acquire(Permit::Step)]);
    assert_eq!(bench.count_deletion(), [pending()]);
    assert_eq!(bench.feed(Input::Permit), [look(false)]);
    // Overwritten before.
    let mut bench = Bench::registered(SHARED);
    bench.count_write();
    assert_eq!(bench.count_deletion(), [pending(), acquire(Permit::Step)]);
    // But not its own deletion.
    let mut bench = Bench::registered(SHARED);
    bench.step(leave(), Permit::Leave);
    assert_eq!(bench.count_deletion(), []);
}
