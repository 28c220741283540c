//! Instances that say in their records that they are about to leave.

use super::*;

/// A set whose records were read; those of these ports say that they are draining.
fn with_draining(count: u16, draining: impl IntoIterator<Item = u16>) -> Reading {
    let mut reading = Reading::with(count);
    assert_eq!(reading.read("{}"), usize::from(count));
    say_draining(&mut reading, draining);
    reading
}

fn say_draining(reading: &mut Reading, ports: impl IntoIterator<Item = u16>) {
    for port in ports {
        reading.script.membership.written(&name(port), reading.script.now);
    }
    reading.script.pass(5);
    reading.read(r#"{"Tags":{"owner.draining":"true"}}"#);
}

#[test]
fn draining_instances_that_go_at_once_are_not_held() {
    let mut script = with_draining(10, 1..=9).script;
    script.delete(1..=9);
    assert_eq!(script.ports().len(), 10, "they settle: another process may take a name over");
    script.pass(5);
    assert_eq!((script.ports(), script.membership.set.held()), (vec![10], 0));
    assert_eq!(script.membership.next_deadline(), None);
}

#[test]
fn draining_instances_that_a_list_lacks_are_not_held() {
    for after in [After::Following, After::Gap, After::NewSession] {
        let mut script = with_draining(10, 1..=9).script;
        script.list([name(10)], after);
        script.pass(5);
        assert_eq!((script.ports(), script.membership.set.held()), (vec![10], 0), "{after:?}");
    }
}

#[test]
fn draining_instances_do_not_count_for_a_hold() {
    let mut script = with_draining(10, 1..=4).script;
    script.delete(1..=7);
    script.pass(5);
    assert_eq!(script.ports(), [8, 9, 10], "three of six are not more than half");
    let mut script = with_draining(10, 1..=4).script;
    script.delete(1..=8);
    script.pass(5);
    assert_eq!(script.ports(), [5, 6, 7, 8, 9, 10], "four of six are, and the draining ones go all the same");
    assert_eq!(script.membership.set.held(), 4);
    script.pass(9_995);
    assert_eq!(script.ports(), [9, 10]);
    // Nor do they count after they have gone.
    let mut script = with_draining(10, 1..=4).script;
    script.delete(1..=4);
    script.pass(5);
    script.delete(5..=7);
    script.pass(5);
    assert_eq!(script.ports(), [8, 9, 10]);
}

#[test]
fn a_new_session_that_lacks_most_of_those_that_stay_holds_them() {
    let mut script = with_draining(6, 1..=3).script;
    script.list([name(6)], After::NewSession);
    script.pass(100);
    assert_eq!((script.ports(), script.membership.set.held()), (vec![4, 5, 6], 2), "two of three");
}

#[test]
fn a_take_over_of_a_draining_instance_is_no_gap() {
    let mut reading = with_draining(3, [1]);
    let changes = reading.script.membership.set.shown.changes();
    reading.script.delete([1]);
    reading.script.pass(4);
    reading.script.create(1);
    reading.script.pass(5);
    assert_eq!(reading.read("{}"), 1);
    assert_eq!(reading.script.ports(), [1, 2, 3]);
    assert_eq!(reading.script.membership.set.shown.changes(), changes + 1, "it drains no more");
}

#[test]
fn what_a_record_said_holds_for_its_znode_alone() {
    // The next znode of each name: nobody has read it.
    let mut reading = with_draining(4, 1..=3);
    (1..=3).for_each(|port| reading.script.create(port));
    reading.script.delete(1..=3);
    reading.script.pass(5);
    assert_eq!(reading.script.membership.set.held(), 3);
    // One that drains no more.
    let mut reading = with_draining(4, 1..=3);
    (1..=3).for_each(|port| reading.script.membership.written(&name(port), reading.script.now));
    reading.script.pass(5);
    reading.read("{}");
    reading.script.delete(1..=3);
    reading.script.pass(5);
    assert_eq!(reading.script.membership.set.held(), 3);
}

proptest! {
    /// Draining instances that go count as little as those whose leaves are told, and go as surely.
    #[test]
    fn draining_instances_change_no_hold(
        stay in 0u16..6,
        draining in 1u16..6,
        removals in proptest::collection::vec((any::<bool>(), 0u64..8), 0..16),
    ) {
        // The draining ones come first.
        let count = draining + 16 + stay;
        let mut silent = with_draining(count, 1..=draining).script;
        let mut telling = Script::with(count);
        telling.now = silent.now;
        let (mut next_draining, mut next) = (1, draining + 1);
        for (is_draining, wait) in removals {
            if is_draining && next_draining <= draining {
                silent.delete([next_draining]);
                telling.leave([next_draining]);
                next_draining += 1;
            } else {
                silent.delete([next]);
                telling.delete([next]);
                next += 1;
            }
            for _ in 0..wait {
                silent.pass(1);
                telling.pass(1);
                let held = |script: &Script| script.membership.set.held_endpoints().cloned().collect::<Vec<_>>();
                prop_assert_eq!(held(&silent), held(&telling));
            }
        }
        silent.pass(5);
        telling.pass(5);
        prop_assert_eq!(silent.ports(), telling.ports());
    }
}
