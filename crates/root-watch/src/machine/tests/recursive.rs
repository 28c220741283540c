//! The arrows of the looks at the root of a recursive watch.

use super::*;

/// One that follows the root at 10 changes.
fn live(lists: Lists) -> Walk {
    let mut walk = Walk::followed(lists);
    assert_eq!(walk.does(connected(1)), "watch");
    match lists {
        Lists::Always => {
            assert_eq!(walk.does(watch_set(10)), "list");
            assert_eq!(walk.does(listed(&["a", "b"], 10)), "listed Gap [a b], live Recursive");
        }
        Lists::AuditOnly => assert_eq!(walk.does(watch_set(10)), "live Recursive"),
    }
    walk
}

/// One of which the base is not exact: an event came during its first round trip.
fn unquiet() -> Walk {
    let mut walk = Walk::followed(Lists::AuditOnly);
    walk.does(connected(1));
    walk.reported(&["+c"]);
    assert_eq!(walk.does(watch_set(10)), "live Recursive");
    walk
}

fn reconnect(walk: &mut Walk, epoch: u64) {
    assert_eq!(walk.does(Input::Ended), "clear, down");
    assert_eq!(walk.does(connected(epoch)), "watch");
}

/// Waits for the next audit, which reads the root or only its stat.
fn audit(walk: &mut Walk) {
    let waited = walk.waits();
    assert!(waited >= AUDIT * 3 / 4 && waited <= AUDIT * 5 / 4, "{waited:?}");
    let done = walk.does(Input::Due);
    assert!(done == "read root" || done == "stat", "{done}");
}

fn busy() -> Error {
    error(ErrorKind::Busy)
}

#[test]
fn after_an_outage_in_which_the_data_may_have_been_replaced_a_count_that_fits_is_no_proof() {
    let away = |walk: &mut Walk, gap: Duration| {
        walk.does(Input::Ended);
        walk.now += gap;
        assert_eq!(walk.does(connected(1)), "watch");
        walk.does(watch_set(11))
    };
    let mut walk = live(Lists::Always);
    // An event does not say its transaction: older data may have arrived at as many changes.
    walk.reported(&["+c"]);
    assert_eq!(away(&mut walk, OUTAGE), "live Recursive whole", "nobody is that quick");
    walk.reported(&["+d"]);
    walk.does(Input::Ended);
    walk.now += OUTAGE + Duration::from_millis(1);
    walk.does(connected(1));
    assert_eq!(walk.does(watch_set(12)), "list");
    assert_eq!(walk.does(listed(&["a", "b"], 12)), "listed Gap [a b], live Recursive");
    // Nothing was reported since a stat: the next one has to show the same transaction.
    let mut walk = live(Lists::Always);
    walk.does(Input::Ended);
    walk.now += Duration::from_secs(3600);
    walk.does(connected(1));
    assert_eq!(walk.does(watch_set(10)), "live Recursive whole");
}

#[test]
fn changes_reconnects_and_audits_cost_no_list() {
    for lists in [Lists::Always, Lists::AuditOnly] {
        let mut walk = live(lists);
        let mut changes = 10;
        for _ in 0..3 {
            assert_eq!(walk.reported(&["+c", "-c", "~a", "+d", "-d"]), "+c, -c, ~a, +d, -d");
            changes += 4;
            audit(&mut walk);
            assert_eq!(walk.does(looked(changes)), "audited");
            reconnect(&mut walk, 1);
            assert_eq!(walk.does(watch_set(changes)), "live Recursive whole");
        }
    }
}

/// As those of a server that is behind, which come before its sync is done.
#[test]
fn events_of_a_connection_that_ends_before_the_first_look_prove_nothing() {
    let mut walk = live(Lists::Always);
    reconnect(&mut walk, 1);
    assert_eq!(walk.reported(&["+c"]), "+c");
    reconnect(&mut walk, 1);
    // One change was missed, and one was reported twice.
    assert_eq!(walk.does(watch_set(11)), "list");
    assert_eq!(walk.does(listed(&["a"], 11)), "listed Gap [a], live Recursive");

    assert_eq!(walk.reported(&["-"]), "listed Changed []");
    reconnect(&mut walk, 1);
    assert_eq!(walk.reported(&["+a"]), "+a");
    reconnect(&mut walk, 1);
    let no_root = Input::WatchSet { watch: Ok(()), sync: Ok(()), stat: Ok(None) };
    assert_eq!(walk.does(no_root), "list");
    assert_eq!(walk.does(Input::Listed(Ok(None))), "listed Gap [], live Recursive");
}

#[test]
fn children_of_a_root_whose_end_was_missed_are_listed_away() {
    let mut walk = live(Lists::Always);
    reconnect(&mut walk, 1);
    assert_eq!(walk.reported(&["+", "+c"]), ", +c", "a new root, and a child of it");
    assert_eq!(walk.does(watch_set(1)), "list");
    assert_eq!(walk.does(listed(&["c"], 1)), "listed Gap [c], live Recursive");
}

#[test]
fn every_audit_interval_leaves_a_pause() {
    for (interval, least) in [(Duration::ZERO, Duration::from_millis(7)), (Duration::MAX, AUDIT)] {
        let mut walk = Walk::followed(Lists::AuditOnly);
        let config = config(Lists::AuditOnly).with_audit_interval(interval);
        walk.machine = Machine::new(config, SmallRng::seed_from_u64(7));
        walk.does(Input::SetFollowed(true));
        walk.does(connected(1));
        walk.does(watch_set(10));
        assert!(walk.waits() >= least);
    }
}

#[test]
fn a_gap_is_listed_or_reported() {
    let mut walk = live(Lists::Always);
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(watch_set(11)), "list");
    assert_eq!(walk.does(listed(&["a"], 11)), "listed Gap [a], live Recursive");
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(watch_set(11)), "live Recursive whole");

    let mut walk = live(Lists::AuditOnly);
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(watch_set(11)), "live Recursive");
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(watch_set(11)), "live Recursive whole");
}

#[test]
fn a_new_session_is_a_gap() {
    let mut walk = live(Lists::Always);
    reconnect(&mut walk, 2);
    assert_eq!(walk.does(watch_set(10)), "list");
    assert_eq!(walk.does(listed(&["a"], 10)), "listed Gap [a] new session, live Recursive");
    let mut walk = live(Lists::AuditOnly);
    reconnect(&mut walk, 2);
    assert_eq!(walk.does(watch_set(10)), "live Recursive");
}

#[test]
fn a_list_that_did_not_come_is_still_owed_after_a_reconnect() {
    let mut walk = live(Lists::Always);
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(watch_set(11)), "list");
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(watch_set(11)), "list", "the numbers are those of the last look");
}

#[test]
fn an_unquiet_start_is_tried_again_before_it_counts_as_a_gap() {
    let mut walk = live(Lists::Always);
    reconnect(&mut walk, 1);
    walk.reported(&["+c"]);
    assert_eq!(walk.does(watch_set(10)), "");
    walk.waits();
    assert_eq!(walk.does(Input::Due), "stat");
    assert_eq!(walk.does(looked(11)), "live Recursive whole");

    for lists in [Lists::Always, Lists::AuditOnly] {
        let mut walk = live(lists);
        reconnect(&mut walk, 1);
        let start = walk.now;
        walk.reported(&["+c"]);
        let mut done = walk.does(watch_set(10));
        let mut stats = 1;
        while done.is_empty() {
            walk.waits();
            assert_eq!(walk.does(Input::Due), "stat");
            walk.reported(&["+c"]);
            done = walk.does(looked(10 + stats));
            stats += 1;
        }
        assert_eq!(done, if lists == Lists::Always { "list" } else { "live Recursive" });
        assert_eq!(stats, 4);
        assert!(walk.now - start < Duration::from_millis(50));
    }
}

#[test]
fn transactions_decide_an_unquiet_start() {
    let mut walk = live(Lists::Always);
    reconnect(&mut walk, 1);
    let event = Event { zxid: Some(Zxid(2)), ..walk.event("+c") };
    assert_eq!(walk.does(Input::Event(Received(event))), "+c");
    assert_eq!(walk.does(watch_set(10)), "live Recursive whole", "the event is later than the stat");
}

#[test]
fn a_base_is_learned_after_an_unquiet_start_without_a_list() {
    let mut walk = unquiet();
    // Each event came behind the stat.
    for (told, expected) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        let (wait, expected) = (walk.waits(), Duration::from_secs(expected));
        assert!(wait >= expected * 3 / 4 && wait <= expected * 5 / 4, "{wait:?}, {expected:?}");
        assert_eq!(walk.does(Input::Due), "stat");
        walk.reported(&["+c"]);
        assert_eq!(walk.does(looked(10 + told)), "");
    }
    walk.waits();
    assert_eq!(walk.does(Input::Due), "stat");
    assert_eq!(walk.does(looked(15)), "");
    assert!(walk.elapsed() < AUDIT * 3 / 4);
    walk.waits();
    assert!(walk.elapsed() >= AUDIT * 3 / 4, "the first audit is where it was");
    assert_eq!(walk.does(Input::Due), "stat");
    assert_eq!(walk.does(looked(15)), "audited");
}

#[test]
fn a_look_that_learns_of_a_lost_event_lists() {
    let mut walk = unquiet();
    walk.waits();
    walk.does(Input::Due);
    assert_eq!(walk.does(looked(12)), "list");
    assert_eq!(walk.does(listed(&["c"], 12)), "listed Audit [c], audited");
    audit(&mut walk);
    assert_eq!(walk.does(looked(12)), "audited");
}

#[test]
fn an_audit_that_finds_a_mismatch_lists_and_has_a_new_base() {
    for lists in [Lists::Always, Lists::AuditOnly] {
        let mut walk = live(lists);
        audit(&mut walk);
        assert_eq!(walk.does(looked(11)), "list");
        assert_eq!(walk.does(listed(&["a"], 11)), "listed Audit [a], audited");
        audit(&mut walk);
        assert_eq!(walk.does(looked(11)), "audited");
        reconnect(&mut walk, 1);
        assert_eq!(walk.does(watch_set(11)), "live Recursive whole");
    }
}

#[test]
fn an_unquiet_audit_is_tried_eight_times_before_it_lists() {
    let mut walk = live(Lists::Always);
    audit(&mut walk);
    let start = walk.now;
    let mut stats = 1;
    loop {
        walk.reported(&["+c"]);
        let done = walk.does(looked(10 + stats));
        if !done.is_empty() {
            assert_eq!(done, "list");
            break;
        }
        let wait = walk.waits();
        assert!(wait >= Duration::from_millis(30) && wait <= Duration::from_millis(70), "{wait:?}");
        assert_eq!(walk.does(Input::Due), "read root");
        stats += 1;
    }
    assert_eq!(stats, 8);
    assert!(walk.now - start < Duration::from_millis(500));
    assert_eq!(walk.does(listed(&["a"], 18)), "listed Audit [a], audited");
}

#[test]
fn events_behind_a_list_follow_it() {
    let mut walk = live(Lists::Always);
    audit(&mut walk);
    assert!(walk.machine.takes_events());
    assert_eq!(walk.does(Input::Wanted { ticket: 3, names: vec!["a".into()] }), "read 3 a");
    assert_eq!(walk.does(looked(11)), "list");
    assert!(!walk.machine.takes_events(), "the queue of the watch keeps them");
    assert_eq!(walk.reported(&["+x", "~a"]), ", ");
    assert_eq!(walk.does(read(3, "a", false)), "", "it follows the events from before it");
    assert_eq!(walk.does(listed(&["x", "y"], 12)), "listed Audit [x y], +x, ~a, records 3 of 1, audited");
    assert!(walk.machine.takes_events());

    // They have been counted, and so are told even if the list never comes.
    audit(&mut walk);
    assert_eq!(walk.does(looked(13)), "list");
    walk.reported(&["+z"]);
    assert_eq!(walk.does(Input::Ended), "+z, clear, down");
}

#[test]
fn events_behind_a_list_have_a_bound() {
    let mut walk = live(Lists::Always);
    audit(&mut walk);
    assert_eq!(walk.does(looked(11)), "list");
    for _ in 0..16_384 {
        assert_eq!(walk.reported(&["~a"]), "");
    }
    let done = walk.reported(&["~a"]);
    assert!(done.starts_with("~a, ~a") && done.ends_with(", clear, lost, watch"));
    assert_eq!(done.matches("~a").count(), 16_384);
    assert_eq!(walk.does(watch_set(11)), "list");
}

#[test]
fn a_failed_look_waits_for_the_next_audit_and_a_failed_list_does_not() {
    let mut walk = live(Lists::Always);
    audit(&mut walk);
    assert_eq!(walk.does(Input::Stat(Err(busy()))), "");
    audit(&mut walk);
    assert_eq!(walk.does(looked(11)), "list");
    walk.reported(&["+c"]);
    assert_eq!(walk.does(Input::Listed(Err(busy()))), "+c");
    assert!(walk.waits() <= Duration::from_secs(1));
    assert_eq!(walk.does(Input::Due), "list", "a stat would find nothing: the base is a new one");
    assert_eq!(walk.does(listed(&["a"], 12)), "listed Audit [a], audited");

    // Nothing was learned by a look that failed.
    let mut walk = unquiet();
    walk.waits();
    walk.does(Input::Due);
    assert_eq!(walk.does(Input::Stat(Err(busy()))), "");
    assert!(walk.waits() > Duration::from_secs(1));
    assert_eq!(walk.does(Input::Due), "stat");
}

#[test]
fn a_missing_root_is_a_state_too() {
    let absent = || Input::WatchSet { watch: Ok(()), sync: Ok(()), stat: Ok(None) };
    let mut walk = Walk::followed(Lists::Always);
    walk.does(connected(1));
    assert_eq!(walk.does(absent()), "list");
    assert_eq!(walk.does(Input::Listed(Ok(None))), "listed Gap [], live Recursive");
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(absent()), "live Recursive whole");
    // It is created, with a child, and deleted later: all of that is told.
    assert_eq!(walk.reported(&["+", "+a"]), ", +a");
    assert!(walk.waits() < Duration::from_secs(2), "its identity is looked for");
    assert_eq!(walk.does(Input::Due), "stat");
    assert_eq!(walk.does(looked(1)), "");
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(watch_set(1)), "live Recursive whole");
    assert_eq!(walk.reported(&["-a", "-"]), "-a, listed Changed []");
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(absent()), "live Recursive whole");
    reconnect(&mut walk, 1);
    assert_eq!(walk.does(watch_set(0)), "list", "nobody told of its creation");
}

/// The deletion of `a` was not told: neither the missing root nor the next one has a count that shows it.
#[test]
fn a_root_that_is_deleted_has_no_children_whatever_was_told() {
    for again in [false, true] {
        let mut walk = live(Lists::Always);
        audit(&mut walk);
        assert_eq!(walk.does(looked(11)), "list");
        let events = if again { vec!["-b", "-", "+", "+c"] } else { vec!["-b", "-"] };
        walk.reported(&events);
        let told = if again { "-b, listed Changed [], +c" } else { "-b, listed Changed []" };
        assert_eq!(walk.does(listed(&["a", "b"], 11)), format!("listed Audit [a b], {told}, audited"));
    }
}

#[test]
fn another_root_with_the_same_count_is_listed() {
    let mut walk = live(Lists::Always);
    reconnect(&mut walk, 1);
    let mut another = stat(10);
    another.czxid = Zxid(2);
    let set = Input::WatchSet { watch: Ok(()), sync: Ok(()), stat: Ok(Some(another)) };
    assert_eq!(walk.does(set), "list");
}

#[test]
fn deletions_are_told_or_not_and_grandchildren_are_ignored() {
    let mut walk = live(Lists::Always);
    assert_eq!(walk.reported(&["~a", "-a", "-b", "~", "+b/c", "~b/c", "-b/c"]), "~a, -a told, -b, , , , ");
    let other = Event { path: ZnodePath::parse("/rootless/a").unwrap(), ..walk.event("+a") };
    assert_eq!(walk.does(Input::Event(Received(other))), "");
    audit(&mut walk);
    assert_eq!(walk.does(looked(12)), "audited");
}

/// Between the watch and the first look of a connection somebody creates the root, which was there before.
#[test]
fn a_root_that_is_created_without_having_gone_is_a_gap() {
    for lists in [Lists::Always, Lists::AuditOnly] {
        let mut walk = live(lists);
        reconnect(&mut walk, 1);
        walk.reported(&["+", "+c"]);
        let mut done = walk.does(watch_set(1));
        if done.is_empty() {
            walk.waits();
            assert_eq!(walk.does(Input::Due), "stat");
            done = walk.does(looked(1));
        }
        assert_eq!(done, if lists == Lists::Always { "list" } else { "live Recursive" });
    }
    // One that was known to be missing is not.
    let mut walk = live(Lists::Always);
    walk.reported(&["-"]);
    reconnect(&mut walk, 1);
    walk.reported(&["+", "+c"]);
    assert_eq!(walk.does(watch_set(1)), "");
    walk.waits();
    assert_eq!(walk.does(Input::Due), "stat");
    assert_eq!(walk.does(looked(1)), "live Recursive whole");
}
