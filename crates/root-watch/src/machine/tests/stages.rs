//! Connections, preparation, failures, and what the user wishes.

use super::*;

/// One that follows the root at 10 changes.
fn live() -> Walk {
    let mut walk = Walk::followed(Lists::Always);
    walk.does(connected(1));
    walk.does(watch_set(10));
    assert_eq!(walk.does(listed(&["a"], 10)), "listed Gap [a], live Recursive");
    walk
}

fn busy() -> Error {
    error(ErrorKind::Busy)
}

#[test]
fn a_connection_is_only_prepared_until_the_root_is_to_be_followed() {
    let mut walk = Walk::new(config(Lists::Always));
    assert_eq!(walk.machine.deadline(), None);
    assert_eq!(walk.does(connected(1)), "sync");
    assert_eq!(walk.does(Input::Wanted { ticket: 1, names: vec!["a".into()] }), "", "no reply");
    assert_eq!(walk.does(Input::Synced(Ok(()))), "live No");
    assert_eq!(walk.does(Input::SetFollowed(true)), "watch");
    assert_eq!(walk.does(watch_set(10)), "list");
    assert_eq!(walk.does(listed(&["a"], 10)), "listed Gap [a], live Recursive");
    assert_eq!(walk.does(Input::SetFollowed(false)), "", "from the next connection on");
    assert_eq!(walk.does(Input::Ended), "clear, down");
    assert_eq!(walk.does(connected(1)), "sync");
    assert_eq!(walk.does(Input::SetFollowed(true)), "", "the sync is on its way");
    assert_eq!(walk.does(Input::Synced(Ok(()))), "watch");
}

#[test]
fn a_failed_preparation_is_repeated_within_a_second() {
    let mut walk = Walk::new(config(Lists::Always));
    walk.does(connected(1));
    for _ in 0..9 {
        assert_eq!(walk.does(Input::Synced(Err(busy()))), "clear, trouble Busy");
        assert!(walk.waits() <= Duration::from_secs(1));
        assert_eq!(walk.does(Input::Due), "sync");
    }
    assert_eq!(walk.does(Input::Synced(Err(error(ErrorKind::NotConnected)))), "clear", "its end follows");
    assert_eq!(walk.does(Input::Ended), "clear, down");
    assert_eq!(walk.machine.deadline(), None);
}

#[test]
fn each_request_of_the_start_may_fail() {
    let inputs = [
        Input::WatchSet { watch: Err(busy()), sync: Ok(()), stat: Ok(None) },
        Input::WatchSet { watch: Ok(()), sync: Err(busy()), stat: Ok(None) },
        Input::WatchSet { watch: Ok(()), sync: Ok(()), stat: Err(busy()) },
    ];
    for input in inputs {
        let mut walk = Walk::followed(Lists::Always);
        assert_eq!(walk.does(connected(1)), "watch");
        assert_eq!(walk.does(input), "clear, trouble Busy");
        walk.waits();
        assert_eq!(walk.does(Input::Due), "watch");
        assert_eq!(walk.does(watch_set(10)), "list");
        assert_eq!(walk.does(Input::Listed(Err(busy()))), "clear, trouble Busy");
        walk.waits();
        assert_eq!(walk.does(Input::Due), "watch");
        assert_eq!(walk.does(watch_set(10)), "list", "it is still owed");
    }
}

#[test]
fn a_watch_that_ends_on_a_living_connection_is_replaced() {
    let mut walk = live();
    assert_eq!(walk.reported(&["+b"]), "+b");
    assert_eq!(walk.does(Input::WatchEnded), "clear, lost, watch");
    assert_eq!(walk.does(watch_set(11)), "live Recursive whole");
    assert_eq!(walk.does(Input::WatchEnded), "clear, lost, watch");
    assert_eq!(walk.does(watch_set(12)), "list", "one event was lost");
    assert_eq!(walk.does(listed(&["a"], 12)), "listed Gap [a], live Recursive");
}

#[test]
fn distrust_replaces_the_watch_and_lists() {
    let mut walk = live();
    assert_eq!(walk.does(Input::Distrust), "clear, lost, watch");
    assert_eq!(walk.does(Input::Distrust), "", "it is being replaced");
    assert_eq!(walk.does(watch_set(10)), "list", "although all is told");
    assert_eq!(walk.does(listed(&["a"], 10)), "listed Gap [a], live Recursive");
    assert_eq!(walk.does(Input::Ended), "clear, down");
    assert_eq!(walk.does(Input::Distrust), "");
    assert_eq!(walk.does(connected(1)), "watch");
    assert_eq!(walk.does(watch_set(10)), "list");
}

#[test]
fn a_refused_watch_is_replaced_by_those_that_fire_once() {
    for refusal in [ErrorKind::Unsupported, ErrorKind::Refused("no".into())] {
        let refused = || Input::WatchSet { watch: Err(error(refusal.clone())), sync: Ok(()), stat: Ok(None) };
        let mut walk = Walk::followed(Lists::Always);
        walk.does(connected(1));
        assert_eq!(walk.does(refused()), "clear, sync and watched list");
        assert_eq!(walk.does(Input::Ended), "clear, down");
        assert_eq!(walk.does(connected(1)), "sync and watched list", "not tried again in this session");
        walk.does(Input::Ended);
        assert_eq!(walk.does(connected(2)), "watch");

        let mut walk = Walk::new(config(Lists::AuditOnly).without_one_shot());
        walk.does(Input::SetFollowed(true));
        walk.does(connected(1));
        assert_eq!(walk.does(refused()), "clear, sync");
        assert_eq!(walk.does(Input::Synced(Ok(()))), "live Unsupported");
    }
}

#[test]
fn an_old_server_is_not_asked_for_a_recursive_watch() {
    let old = || Input::Connected { epoch: 1, timeout: TIMEOUT, recursive: false };
    let mut walk = Walk::followed(Lists::Always);
    assert_eq!(walk.does(old()), "sync and watched list");
    let mut walk = Walk::new(config(Lists::AuditOnly).without_one_shot());
    assert_eq!(walk.does(old()), "sync");
    assert_eq!(walk.does(Input::Synced(Ok(()))), "live No");
    assert_eq!(walk.does(Input::SetFollowed(true)), "live Unsupported");
    assert_eq!(walk.machine.deadline(), None, "nothing is audited");
}

#[test]
fn a_root_that_may_not_be_read_is_trouble_or_is_not_followed() {
    let denied = || error(ErrorKind::Denied);
    let mut walk = live();
    walk.waits();
    walk.does(Input::Due);
    assert_eq!(walk.does(Input::Stat(Err(denied()))), "clear, trouble Denied");
    walk.waits();
    assert_eq!(walk.does(Input::Due), "watch");
    assert_eq!(walk.does(watch_set(10)), "list", "nothing has happened, but a stat needs no rights");
    assert_eq!(walk.does(Input::Listed(Err(denied()))), "clear, trouble Denied");

    // Registrations have a watch each, then.
    let mut walk = Walk::new(config(Lists::AuditOnly).without_one_shot());
    walk.does(Input::SetFollowed(true));
    walk.does(connected(1));
    assert_eq!(walk.does(watch_set(10)), "live Recursive");
    walk.waits();
    walk.does(Input::Due);
    assert_eq!(walk.does(looked(11)), "list");
    assert_eq!(walk.does(Input::Listed(Err(denied()))), "clear, lost, sync");
    assert_eq!(walk.does(Input::Synced(Ok(()))), "live Unsupported");
}

#[test]
fn a_closed_link_is_the_end() {
    for inputs in [vec![], vec![connected(1), Input::Ended]] {
        let mut walk = Walk::followed(Lists::Always);
        inputs.into_iter().for_each(|input| drop(walk.does(input)));
        assert_eq!(walk.does(Input::Closed), "closed");
        assert!(walk.machine.is_closed());
        assert_eq!(walk.does(Input::SetFollowed(true)), "");
        assert_eq!(walk.does(Input::Distrust), "");
        assert_eq!(walk.machine.deadline(), None);
    }
}

/// Replies to requests that were dropped do not come; even if one came, it would do nothing.
#[test]
fn a_stray_input_does_nothing() {
    let mut walk = live();
    assert_eq!(walk.does(looked(11)), "");
    assert_eq!(walk.does(listed(&["a"], 11)), "");
    assert_eq!(walk.does(Input::Synced(Ok(()))), "");
    assert_eq!(walk.does(Input::Due), "", "it is not due");
    walk.does(Input::Ended);
    assert_eq!(walk.does(looked(11)), "");
    assert_eq!(walk.does(Input::WatchEnded), "");
    assert_eq!(walk.does(Input::Due), "");
}
