use std::time::Duration;

use zk_core::ErrorKind;

use super::*;

fn deregistered() -> Effect {
    Effect::Finish(RegistrationStatus::Deregistered)
}

#[test]
fn a_registered_znode_is_deleted_at_once_and_told() {
    for watched in [OWN, SHARED] {
        let mut bench = Bench::registered(watched);
        assert_eq!(bench.step(leave(), Permit::Leave), [tell_leave(0)]);
        assert_eq!(bench.feed(done()), [deregistered()]);
        assert_eq!(bench.feed(ready(2, SHARED)), [], "it is over");
    }
}

#[test]
fn a_leave_is_heard_in_every_stage() {
    // Nothing was ever created.
    assert_eq!(Bench::new(false).feed(leave()), [deregistered()]);
    let mut bench = Bench::new(false);
    bench.feed(ready(1, SHARED));
    assert_eq!(bench.feed(leave()), [deregistered()], "queued");

    // The steps of others have all permits.
    let mut bench = Bench::registered(SHARED);
    assert_eq!(bench.count_deletion(), [pending(), acquire(Permit::Step)]);
    assert_eq!(bench.step(leave(), Permit::Leave), [look(false)]);
    assert_eq!(bench.feed(missing()), [deregistered()]);

    // A step has failed.
    let mut bench = Bench::waiting(SHARED);
    assert_eq!(bench.step(leave(), Permit::Leave), [look(false)]);

    // An audit has no reply.
    let mut bench = Bench::registered(SHARED);
    bench.wait();
    bench.feed(Input::Timer);
    assert_eq!(bench.step(leave(), Permit::Leave), [tell_leave(0)]);

    // Requests for other keepers, too, have no reply.
    for (failure, for_all) in
        [(ErrorKind::NoNode, Request::EnsureRoot), (ErrorKind::NodeExists, Request::Sync)]
    {
        let mut bench = Bench::creating(SHARED);
        assert_eq!(bench.feed(failed(failure)), [Effect::Request(for_all.clone())]);
        let sync = for_all == Request::Sync;
        assert_eq!(bench.feed(leave()), [Effect::Request(Request::Stat { watch: false, sync })]);
        assert_eq!(bench.feed(missing()), [deregistered()]);
    }

    // There is another owner.
    let mut bench = Bench::creating(SHARED);
    bench.feed(failed(ErrorKind::NodeExists));
    bench.feed(done());
    bench.feed(found(of(THEIRS)));
    bench.feed(read("x", Some(owner(2)), of(THEIRS)));
    assert_eq!(bench.step(leave(), Permit::Leave), [look(false)]);
    bench.feed(found(of(THEIRS)));
    assert_eq!(bench.feed(read("x", Some(owner(2)), of(THEIRS))), [deregistered()]);

    // The shared watch is about to be set, or cannot be set.
    let mut bench = Bench::registered(SHARED);
    bench.feed(Input::Unprepared(None));
    assert_eq!(bench.step(leave(), Permit::Leave), [synced_look()]);
    assert_eq!(bench.feed(found(stat(0))), [tell_leave(0)]);
    let mut bench = Bench::registered(OWN);
    bench.moment.needs_shared_watch = true;
    bench.feed(Input::Fired(zk_core::EventKind::Deleted));
    assert_eq!(bench.step(leave(), Permit::Leave), [look(false)]);
}

#[test]
fn a_leave_follows_the_reply_to_its_own_request() {
    // The create.
    let mut bench = Bench::creating(SHARED);
    assert_eq!(bench.feed(leave()), []);
    assert_eq!(bench.feed(leave()), [], "again, as by Drop");
    assert_eq!(bench.feed(written(stat(0))), [Effect::Note(Fact::Created), tell_leave(0)]);
    assert_eq!(bench.machine.deadline(), None, "no patience with the leave itself");
    // A write.
    let mut bench = Bench::registered(OWN);
    bench.step(present("b"), Permit::Step);
    assert_eq!(bench.feed(leave()), []);
    let done = bench.feed(written(stat(1)));
    assert_eq!(done, [Effect::Note(Fact::Updated { version: 1 }), tell_leave(1)]);
    // A look.
    let mut bench = Bench::registered(SHARED);
    bench.count_deletion();
    bench.feed(Input::Permit);
    assert_eq!(bench.feed(leave()), []);
    assert_eq!(bench.feed(missing()), [deregistered()]);
    // A create that failed.
    let mut bench = Bench::creating(SHARED);
    bench.feed(leave());
    assert_eq!(bench.feed(failed(ErrorKind::NodeExists)), [synced_look()]);
}

#[test]
fn a_request_of_its_own_without_a_reply_delays_a_leave_for_half_a_second() {
    let mut bench = Bench::creating(SHARED);
    bench.feed(leave());
    assert_eq!(bench.wait(), Duration::from_millis(500));
    // On the same connection, so after the create.
    assert_eq!(bench.feed(Input::Timer), [look(false)]);
    assert_eq!(bench.feed(found(stat(0))), [Effect::Request(Request::Data(stat(0)))]);
    assert_eq!(bench.feed(read("a", Some(owner(1)), stat(0))), [tell_leave(0)]);
}

#[test]
fn a_leave_that_is_refused_is_a_plain_deletion() {
    for refusal in [ErrorKind::Denied, ErrorKind::Unsupported, ErrorKind::Refused("quota".into())] {
        let mut bench = Bench::registered(SHARED);
        bench.step(leave(), Permit::Leave);
        assert_eq!(bench.feed(failed(refusal)), [delete(0)]);
        assert_eq!(bench.feed(done()), [deregistered()]);
    }
}

#[test]
fn a_leave_that_meets_another_znode_looks_again_and_is_told_again() {
    let mut bench = Bench::registered(SHARED);
    bench.step(leave(), Permit::Leave);
    assert_eq!(bench.feed(failed(ErrorKind::BadVersion)), [synced_look()]);
    assert_eq!(bench.feed(found(overwritten(4))), [Effect::Request(Request::Data(overwritten(4)))]);
    assert_eq!(bench.feed(read("x", None, overwritten(4))), [tell_leave(4)]);
    assert_eq!(bench.feed(failed(ErrorKind::NoNode)), [deregistered()], "somebody else deleted it");
}

#[test]
fn a_leave_of_unknown_outcome_is_looked_into_and_becomes_a_plain_deletion() {
    let mut bench = Bench::registered(SHARED);
    bench.step(leave(), Permit::Leave);
    let waits = [noted(TroubleKind::Unanswered), troubled(TroubleKind::Unanswered), Effect::Release];
    assert_eq!(bench.feed(unanswered()), waits);
    bench.wait();
    assert_eq!(bench.step(Input::Timer, Permit::Leave), [look(false)]);
    assert_eq!(bench.feed(found(stat(0))), [delete(0)]);

    let mut bench = Bench::registered(SHARED);
    bench.step(leave(), Permit::Leave);
    assert_eq!(bench.feed(failed(ErrorKind::Unexpected("-127".into()))), [look(false)]);
    assert_eq!(bench.feed(missing()), [deregistered()]);

    // With the connection, and any other will do.
    let mut bench = Bench::registered(SHARED);
    bench.step(leave(), Permit::Leave);
    assert_eq!(bench.feed(lost()), [report(RegistrationStatus::Unconfirmed), Effect::Release]);
    assert!(bench.machine.wants_connection());
    assert_eq!(bench.step(Input::Linked(connection(1, 1)), Permit::Leave), [synced_look()]);
    assert!(!bench.machine.wants_connection());
    assert_eq!(bench.feed(found(stat(0))), [delete(0)]);
}

#[test]
fn a_leave_without_a_connection_waits_for_any_one_and_looks_first() {
    let mut bench = Bench::registered(SHARED);
    bench.feed(Input::Down);
    assert_eq!(bench.feed(leave()), []);
    assert!(bench.machine.wants_connection());
    let trouble = trouble(TroubleKind::Denied);
    bench.feed(Input::Unprepared(Some(trouble)));
    assert_eq!(bench.feed(Input::Orphaned), [], "it needs nobody");
    assert_eq!(bench.step(Input::Linked(connection(1, 1)), Permit::Leave), [synced_look()]);
    // Another owner has the name meanwhile, at the same version.
    assert_eq!(bench.feed(found(of(THEIRS))), [Effect::Request(Request::Data(of(THEIRS)))]);
    assert_eq!(bench.feed(read("x", Some(owner(2)), of(THEIRS))), [deregistered()]);
}

#[test]
fn a_leave_deletes_a_stale_znode_of_ours_and_none_that_is_only_vouched_for() {
    for (incarnation, expected) in [(1, tell_leave(0)), (2, deregistered())] {
        let mut bench = Bench::new(true);
        bench.feed(ready(1, SHARED));
        bench.feed(Input::Permit);
        bench.feed(failed(ErrorKind::NodeExists));
        bench.feed(leave());
        bench.feed(found(of(THEIRS)));
        assert_eq!(bench.feed(read("x", Some(owner(incarnation)), of(THEIRS))), [expected]);
    }
}

#[test]
fn a_refused_deletion_is_repeated() {
    let mut bench = Bench::registered(SHARED);
    bench.step(leave(), Permit::Leave);
    bench.feed(failed(ErrorKind::Denied));
    let waits = [noted(TroubleKind::Denied), troubled(TroubleKind::Denied), Effect::Release];
    assert_eq!(bench.feed(failed(ErrorKind::Denied)), waits);
    bench.wait();
    assert_eq!(bench.step(Input::Timer, Permit::Leave), [look(false)]);
    assert_eq!(bench.feed(found(stat(0))), [delete(0)]);
}

#[test]
fn a_leave_waits_for_nothing_after_an_earlier_step_has_failed() {
    // Nobody creates the root to leave it.
    let mut bench = Bench::creating(SHARED);
    bench.feed(leave());
    assert_eq!(bench.feed(failed(ErrorKind::NoNode)), [synced_look()]);
    let mut bench = Bench::creating(SHARED);
    bench.feed(leave());
    let refused = bench.feed(failed(ErrorKind::Denied));
    assert_eq!(refused[2..], [Effect::Release, acquire(Permit::Leave)]);
    assert_eq!(bench.feed(Input::Permit), [look(false)]);
}

#[test]
fn a_leave_that_was_not_sent_is_told_later() {
    let mut bench = Bench::registered(SHARED);
    bench.step(leave(), Permit::Leave);
    bench.feed(failed(ErrorKind::Busy));
    bench.wait();
    assert_eq!(bench.step(Input::Timer, Permit::Leave), [look(false)]);
    assert_eq!(bench.feed(found(stat(0))), [tell_leave(0)]);
}

#[test]
fn a_leave_on_another_connection_than_that_of_the_last_reply_looks_first() {
    let mut bench = Bench::creating(SHARED);
    bench.feed(leave());
    bench.feed(Input::Ready(Ready { number: 2, on: connection(1, 1), watched: SHARED }));
    assert_eq!(bench.feed(written(stat(0))), [Effect::Note(Fact::Created), look(false)]);
}
