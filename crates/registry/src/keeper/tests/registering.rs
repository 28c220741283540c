use zk_core::{ErrorKind, EventKind};

use super::*;

#[test]
fn a_free_name_is_taken_by_a_create_and_watched_by_a_look() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.step(ready(1, OWN), Permit::Step), [create("a")]);
    assert_eq!(bench.feed(written(stat(0))), [Effect::Note(Fact::Created), look(true)]);
    assert_eq!(bench.feed(found(stat(0))), [registered(), Effect::Release]);
    let audit = bench.wait();
    assert!(audit >= AUDIT / 4 && audit <= AUDIT * 5 / 4, "{audit:?}");
}

#[test]
fn under_a_shared_watch_a_create_is_enough() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.step(ready(1, SHARED), Permit::Step), [create("a")]);
    let done = bench.feed(written(stat(0)));
    assert_eq!(done, [Effect::Note(Fact::Created), registered(), Effect::Release]);
    assert!(bench.wait() >= 2 * AUDIT / 4, "audited more rarely");
}

#[test]
fn a_keeper_waits_for_the_shared_watch_where_there_are_too_many_for_a_watch_each() {
    let mut bench = Bench::new(false);
    bench.moment.needs_shared_watch = true;
    assert_eq!(bench.feed(ready(1, OWN)), []);
    assert_eq!(bench.step(ready(2, SHARED), Permit::Step), [create("a")]);
    let mut bench = Bench::new(false);
    bench.moment.needs_shared_watch = true;
    let never = Watched::Own { always: true };
    assert_eq!(bench.step(ready(1, never), Permit::Step), [create("a")], "there will be none");
}

#[test]
fn a_missing_root_is_created_with_one_attempt_for_all() {
    let mut bench = Bench::creating(OWN);
    assert_eq!(bench.feed(failed(ErrorKind::NoNode)), [Effect::Request(Request::EnsureRoot)]);
    assert_eq!(bench.feed(done()), [look(true)]);
    assert_eq!(bench.feed(missing()), [create("a")]);
    assert_eq!(bench.feed(failed(ErrorKind::NoNode)), [Effect::Request(Request::EnsureRoot)]);
    let waits = [noted(TroubleKind::Denied), troubled(TroubleKind::Denied), Effect::Release];
    assert_eq!(bench.feed(failed(ErrorKind::Denied)), waits);
}

#[test]
fn a_create_whose_reply_was_lost_is_found_to_be_ours() {
    let mut bench = Bench::creating(OWN);
    let waits = [noted(TroubleKind::Unanswered), troubled(TroubleKind::Unanswered), Effect::Release];
    assert_eq!(bench.feed(unanswered()), waits);
    bench.wait();
    assert_eq!(bench.step(Input::Timer, Permit::Step), [look(true)]);
    assert_eq!(bench.feed(found(stat(0))), [Effect::Request(Request::Data(stat(0)))]);
    assert_eq!(bench.feed(read("a", Some(owner(1)), stat(0))), [registered(), Effect::Release]);
}

#[test]
fn a_name_that_is_taken_is_read_after_a_sync() {
    let mut bench = Bench::creating(SHARED);
    assert_eq!(bench.feed(failed(ErrorKind::NodeExists)), [Effect::Request(Request::Sync)]);
    assert_eq!(bench.feed(done()), [look(false)]);
    // It is gone again, before the look and before the read.
    assert_eq!(bench.feed(found(stat(0))), [Effect::Request(Request::Data(stat(0)))]);
    assert_eq!(bench.feed(failed(ErrorKind::NoNode)), [Effect::Request(Request::Sync)]);
    assert_eq!(bench.feed(done()), [look(false)]);
    assert_eq!(bench.feed(missing()), [create("a")]);
}

#[test]
fn a_deleted_znode_is_pending_and_created_again_at_once() {
    for watched in [OWN, SHARED] {
        let mut bench = Bench::registered(watched);
        let lost = match watched {
            OWN => bench.feed(Input::Fired(EventKind::Deleted)),
            _ => bench.count_deletion(),
        };
        assert_eq!(lost, [pending(), acquire(Permit::Step)]);
        assert_eq!(bench.feed(Input::Permit), [look(watched == OWN)]);
        assert_eq!(bench.feed(missing()), [Effect::Note(Fact::Lost), create("a")]);
    }
}

#[test]
fn a_deletion_that_is_reported_during_a_look_means_another_look() {
    let mut bench = Bench::registered(SHARED);
    bench.count_deletion();
    assert_eq!(bench.feed(Input::Permit), [look(false)]);
    assert_eq!(bench.count_deletion(), []);
    assert_eq!(bench.feed(found(stat(0))), [look(false)]);
    assert_eq!(bench.feed(found(stat(0))), [registered(), Effect::Release]);
}

#[test]
fn a_failed_step_is_repeated_after_a_wait_in_proportion_to_those_that_are_pending() {
    let mut bench = Bench::waiting(SHARED);
    let mut longest = bench.wait();
    bench.moment.pending = 5_000;
    for _ in 0..9 {
        assert_eq!(bench.step(Input::Timer, Permit::Step), [look(false)]);
        assert_eq!(bench.feed(missing()), [create("a")]);
        assert_eq!(bench.feed(failed(ErrorKind::Denied))[1..], [Effect::Release], "reported before");
        longest = longest.max(bench.wait());
    }
    assert!(longest > std::time::Duration::from_secs(1), "{longest:?}");
    assert_eq!(bench.step(Input::Timer, Permit::Step), [look(false)]);
    assert_eq!(bench.feed(found(stat(0))), [Effect::Request(Request::Data(stat(0)))]);
    assert_eq!(bench.feed(read("a", Some(owner(1)), stat(0))), [registered(), Effect::Release]);
}

#[test]
fn an_audit_compares_the_znode_and_a_difference_is_looked_into() {
    for (reply, expected) in [
        (Input::Reply(Ok(Reply::Audit(Some(stat(0))))), vec![]),
        (
            Input::Reply(Ok(Reply::Audit(None))),
            vec![Effect::Note(Fact::AuditMismatch), acquire(Permit::Step)],
        ),
        (
            Input::Reply(Ok(Reply::Audit(Some(overwritten(1))))),
            vec![Effect::Note(Fact::AuditMismatch), acquire(Permit::Step)],
        ),
        (unanswered(), vec![acquire(Permit::Step)]),
        (lost(), vec![report(RegistrationStatus::Unconfirmed)]),
    ] {
        let mut bench = Bench::registered(SHARED);
        assert_eq!(bench.feed(Input::Timer), [], "too early");
        bench.wait();
        assert_eq!(bench.feed(Input::Timer), [Effect::Request(Request::Audit)]);
        assert_eq!(bench.machine.deadline(), None);
        let is_unchanged = expected.is_empty();
        assert_eq!(bench.feed(reply), expected);
        if is_unchanged {
            assert!(bench.wait() >= 2 * AUDIT * 3 / 4);
        }
    }
}

#[test]
fn an_audit_that_a_change_overtakes_is_ignored() {
    let mut bench = Bench::registered(SHARED);
    bench.wait();
    bench.feed(Input::Timer);
    assert_eq!(bench.count_deletion(), [pending(), acquire(Permit::Step)]);
    assert_eq!(bench.feed(Input::Reply(Ok(Reply::Audit(Some(stat(0)))))), []);
    assert_eq!(bench.feed(Input::Permit), [look(false)]);
}

#[test]
fn an_event_that_comes_with_the_reply_to_an_audit_is_not_lost() {
    let mut bench = Bench::registered(SHARED);
    bench.wait();
    bench.feed(Input::Timer);
    bench.moment.counts.deleted += 1;
    let reply = Input::Reply(Ok(Reply::Audit(Some(stat(0)))));
    assert_eq!(bench.feed(reply), [pending(), acquire(Permit::Step)]);
}
