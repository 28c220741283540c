//! Deletions that are told as meant.

use super::*;

#[test]
fn a_told_removal_shows_at_once_and_is_never_held() {
    let mut script = Script::with(10);
    script.leave(1..=9);
    assert_eq!(script.ports(), [10]);
    assert_eq!((script.membership.set.held(), script.membership.next_deadline()), (0, None));
}

#[test]
fn told_removals_do_not_count_for_a_hold() {
    let mut script = Script::with(10);
    script.leave(1..=4);
    script.delete([5, 6, 7]);
    script.pass(5);
    assert_eq!(script.ports(), [8, 9, 10], "three of six are not more than half");
    let mut script = Script::with(10);
    script.leave(1..=4);
    script.delete(5..=8);
    script.pass(5);
    assert_eq!(script.membership.set.held(), 4, "four of six are");
}

#[test]
fn a_removal_that_settles_or_is_held_goes_at_once_when_it_is_told() {
    let mut script = Script::with(10);
    script.listed(2..=10);
    script.leave([1]);
    assert_eq!(script.ports(), [2, 3, 4, 5, 6, 7, 8, 9, 10]);
    script.listed([9, 10]);
    script.pass(5);
    assert_eq!(script.membership.set.held(), 7);
    script.leave(2..=4);
    assert_eq!(script.ports(), [5, 6, 7, 8, 9, 10]);
    assert_eq!(script.membership.set.held(), 4);
}

#[test]
fn a_told_removal_and_a_creation_are_an_addition() {
    let mut script = Script::with(2);
    let changes = script.membership.set.shown.changes();
    script.leave([1]);
    script.create(1);
    assert_eq!(script.ports(), [1, 2]);
    assert_eq!(script.membership.set.shown.changes(), changes + 2);
}

#[test]
fn an_endpoint_stays_if_another_of_its_znodes_stands() {
    let mut script = Script::with(1);
    script.membership.created("[::ffff:127.0.0.1]:1", script.now);
    script.leave([1]);
    assert_eq!(script.ports(), [1]);
    script.leave([1]);
    assert_eq!(script.ports(), [1], "told twice");
    script.membership.deleted("[::ffff:127.0.0.1]:1", true, script.now);
    assert_eq!(script.ports(), [0; 0]);
}

#[test]
fn a_znode_that_is_no_instance_or_not_known_may_leave() {
    let mut script = Script::with(1);
    script.membership.created("vector_1", script.now);
    script.leave([7]);
    script.membership.deleted("vector_1", true, script.now);
    assert_eq!((script.ports(), script.membership.skipped()), (vec![1], 0));
}

#[test]
fn a_leave_ends_the_wait_for_a_record() {
    let mut reading = Reading::with(2);
    reading.script.leave([1]);
    reading.read(r#"{"Weight":7}"#);
    assert_eq!(reading.weights(), [(2, 7)]);
    assert!(!reading.script.membership.awaits_records(reading.script.now));
}
