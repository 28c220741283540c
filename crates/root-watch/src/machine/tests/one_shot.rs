//! The arrows of watches that fire once.

use super::*;

/// One that follows the root at 10 changes.
fn live() -> Walk {
    let mut walk = Walk::followed(Lists::Always);
    let old = Input::Connected { epoch: 1, timeout: TIMEOUT, recursive: false };
    assert_eq!(walk.does(old), "sync and watched list");
    assert_eq!(walk.does(listed(&["a", "b"], 10)), "listed Gap [a b], live OneShot");
    walk
}

fn fired(name: &str, deleted: bool) -> Input {
    Input::RecordFired { name: name.into(), deleted }
}

/// Waits for the next audit, which reads the root.
fn audit(walk: &mut Walk) {
    assert!(walk.waits() >= AUDIT / 2);
    assert_eq!(walk.does(Input::Due), "read root");
}

fn busy() -> Error {
    error(ErrorKind::Busy)
}

#[test]
fn a_change_of_the_list_is_read_but_not_too_often() {
    let mut walk = live();
    assert_eq!(walk.does(Input::ListFired), "");
    assert_eq!(walk.waits(), Duration::from_millis(10));
    assert_eq!(walk.does(Input::Due), "watched list");
    assert_eq!(walk.machine.deadline(), None);
    assert_eq!(walk.does(listed(&["a"], 11)), "listed Changed [a]");
    walk.now += Duration::from_secs(1);
    assert_eq!(walk.does(Input::ListFired), "");
    assert_eq!(walk.does(Input::Due), "watched list", "at once");
    assert_eq!(walk.does(Input::Listed(Ok(None))), "listed Changed []");
}

#[test]
fn records_that_are_read_are_watched() {
    let mut walk = live();
    let wanted = || Input::Wanted { ticket: 1, names: vec!["a".into()] };
    assert_eq!(walk.machine.max_batch(), 32);
    assert_eq!(walk.does(wanted()), r#"watched read 1 [("a", false)]"#);
    assert_eq!(walk.does(read(1, "a", true)), "records 1 of 1");
    assert_eq!(walk.does(wanted()), r#"watched read 1 [("a", true)]"#);
    assert_eq!(walk.does(fired("a", false)), "~a");
    assert_eq!(walk.does(wanted()), r#"watched read 1 [("a", false)]"#, "it has fired");
}

#[test]
fn a_name_that_was_deleted_and_is_listed_was_created_again() {
    let mut walk = live();
    walk.does(read(1, "a", true));
    walk.does(read(2, "b", true));
    assert_eq!(walk.does(fired("a", true)), "", "the list tells");
    assert_eq!(walk.does(fired("b", true)), "");
    walk.waits();
    assert_eq!(walk.does(Input::Due), "watched list");
    assert_eq!(walk.does(listed(&["a"], 13)), "listed Changed [a] recreated a");
    walk.does(Input::ListFired);
    walk.waits();
    assert_eq!(walk.does(Input::Due), "watched list");
    assert_eq!(walk.does(listed(&["a"], 14)), "listed Changed [a]");
}

/// It was deleted before it had a watch, and so no watch fired.
#[test]
fn a_name_without_a_znode_that_is_listed_later_was_created_again() {
    let mut walk = live();
    let record = Record { name: "a".into(), reading: Some(Err(ErrorKind::NoNode)), watched: false };
    assert_eq!(walk.does(Input::Read { ticket: 1, records: vec![record] }), "records 1 of 1");
    walk.does(Input::ListFired);
    walk.waits();
    assert_eq!(walk.does(Input::Due), "watched list");
    assert_eq!(walk.does(listed(&["a", "b"], 12)), "listed Changed [a b] recreated a");
}

/// As with servers of several versions. The missing root was counted before there were children, which only lists told.
#[test]
fn what_lists_told_is_not_counted() {
    let mut walk = Walk::followed(Lists::Always);
    walk.does(connected(1));
    let absent = || Input::WatchSet { watch: Ok(()), sync: Ok(()), stat: Ok(None) };
    assert_eq!(walk.does(absent()), "list");
    walk.does(Input::Listed(Ok(None)));
    walk.does(Input::Ended);
    walk.does(Input::Connected { epoch: 1, timeout: TIMEOUT, recursive: false });
    assert_eq!(walk.does(listed(&["a"], 1)), "listed Gap [a], live OneShot");
    walk.does(Input::Ended);
    assert_eq!(walk.does(connected(1)), "watch");
    assert_eq!(walk.does(absent()), "list");
    assert_eq!(walk.does(Input::Listed(Ok(None))), "listed Gap [], live Recursive");
}

#[test]
fn an_audit_compares_list_versions() {
    let mut walk = live();
    audit(&mut walk);
    assert_eq!(walk.does(looked(10)), "audited");
    audit(&mut walk);
    assert_eq!(walk.does(looked(11)), "watched list");
    assert_eq!(walk.does(listed(&["a"], 11)), "listed Audit [a], audited");

    // The change is known.
    audit(&mut walk);
    assert_eq!(walk.does(Input::ListFired), "");
    assert_eq!(walk.does(looked(12)), "audited");
    assert_eq!(walk.does(Input::Due), "watched list");
    assert_eq!(walk.does(listed(&["a"], 12)), "listed Changed [a]");

    // It becomes known while the audit lists.
    audit(&mut walk);
    assert_eq!(walk.does(looked(13)), "watched list");
    assert_eq!(walk.does(Input::ListFired), "");
    assert_eq!(walk.does(listed(&["a"], 13)), "listed Changed [a], audited");
}

#[test]
fn a_failed_audit_is_repeated_and_a_failed_list_is_trouble() {
    let mut walk = live();
    audit(&mut walk);
    assert_eq!(walk.does(Input::Stat(Err(busy()))), "");
    audit(&mut walk);
    assert_eq!(walk.does(looked(11)), "watched list");
    assert_eq!(walk.does(Input::Listed(Err(busy()))), "");
    audit(&mut walk);
    assert_eq!(walk.does(looked(11)), "watched list");
    assert_eq!(walk.does(listed(&["a"], 11)), "listed Audit [a], audited");

    walk.does(Input::ListFired);
    walk.waits();
    assert_eq!(walk.does(Input::Due), "watched list");
    assert_eq!(walk.does(Input::Listed(Err(busy()))), "clear, trouble Busy");
    walk.waits();
    assert_eq!(walk.does(Input::Due), "sync and watched list");
    assert_eq!(walk.does(listed(&["a"], 11)), "listed Gap [a], live OneShot");

    audit(&mut walk);
    assert_eq!(walk.does(Input::Stat(Err(error(ErrorKind::Denied)))), "clear, trouble Denied");
}

#[test]
fn watches_that_end_or_are_distrusted_are_set_again() {
    let mut walk = live();
    assert_eq!(walk.does(Input::WatchEnded), "clear, lost, sync and watched list");
    assert_eq!(walk.does(Input::Distrust), "", "they are being set");
    assert_eq!(walk.does(listed(&["a"], 10)), "listed Gap [a], live OneShot");
    assert_eq!(walk.does(Input::Distrust), "clear, lost, sync and watched list");
    assert_eq!(walk.does(Input::Ended), "clear, down");
    let old = Input::Connected { epoch: 2, timeout: TIMEOUT, recursive: false };
    assert_eq!(walk.does(old), "sync and watched list");
    assert_eq!(walk.does(listed(&["a"], 10)), "listed Gap [a] new session, live OneShot");
}
