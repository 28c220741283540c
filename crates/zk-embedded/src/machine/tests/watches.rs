use super::lab::*;
use crate::machine::{Output, Settings, WatchKind, WatchMode};
use zk_wire::*;

use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};

fn watch_data(path: &str) -> Request {
    Request::GetData { path: path.into(), watch: true }
}

fn watch_exists(path: &str) -> Request {
    Request::Exists { path: path.into(), watch: true }
}

fn watch_children(path: &str) -> Request {
    Request::GetChildren2 { path: path.into(), watch: true }
}

fn persistent(path: &str) -> Request {
    Request::AddWatch { path: path.into(), mode: 0 }
}

fn recursive(path: &str) -> Request {
    Request::AddWatch { path: path.into(), mode: 1 }
}

/// A writer and a watcher, with `/a` and `/a/b`.
fn two_clients() -> (Lab, u64, u64) {
    let mut lab = Lab::new();
    let (writer, watcher) = (lab.connect(), lab.connect());
    lab.ok(writer, create("/a"));
    lab.ok(writer, create("/a/b"));
    (lab, writer, watcher)
}

#[test]
fn a_one_shot_watch_fires_once() {
    for (watch, write, expected) in [
        (watch_data("/a/b"), set("/a/b", "x"), vec![event(DataChanged, "/a/b")]),
        (watch_data("/a/b"), delete("/a/b"), vec![event(Deleted, "/a/b")]),
        (watch_data("/a"), create("/a/c"), vec![]),
        (watch_data("/a"), set_acl("/a", open(), -1), vec![]),
        (watch_exists("/a/b"), set("/a/b", "x"), vec![event(DataChanged, "/a/b")]),
        (watch_exists("/a/b"), delete("/a/b"), vec![event(Deleted, "/a/b")]),
        (watch_children("/a"), create("/a/c"), vec![event(ChildrenChanged, "/a")]),
        (watch_children("/a"), delete("/a/b"), vec![event(ChildrenChanged, "/a")]),
        (watch_children("/"), create("/c"), vec![event(ChildrenChanged, "/")]),
        (watch_children("/a/b"), delete("/a/b"), vec![event(Deleted, "/a/b")]),
        (watch_children("/a"), set("/a", "x"), vec![]),
        (watch_children("/a"), set("/a/b", "x"), vec![]),
        (watch_children("/"), create("/a/c"), vec![]),
    ] {
        let (mut lab, writer, watcher) = two_clients();
        lab.ok(watcher, watch.clone());
        assert_eq!(lab.events(writer, write.clone(), watcher), expected, "{watch:?} and {write:?}");
        let left = lab.machine.statistics().watches.len();
        assert_eq!(left, usize::from(expected.is_empty()), "{watch:?} and {write:?}");
    }
}

#[test]
fn a_watch_on_a_missing_znode_fires_when_it_is_created() {
    let (mut lab, writer, watcher) = two_clients();
    assert_eq!(lab.ask(watcher, watch_exists("/new")), Err(ErrorCode::NoNode));
    assert_eq!(lab.events(writer, create("/new"), watcher), [event(Created, "/new")]);
    for request in [watch_data("/other"), watch_children("/other")] {
        assert_eq!(lab.ask(watcher, request), Err(ErrorCode::NoNode));
    }
    assert_eq!(lab.events(writer, create("/other"), watcher), [], "only exists leaves such a watch");
}

#[test]
fn a_refused_read_sets_no_watch() {
    let (mut lab, writer, watcher) = two_clients();
    lab.ok(writer, create_with("/locked", acl(2, "world", "anyone")));
    for request in [watch_data("/locked"), watch_children("/locked")] {
        assert_eq!(lab.ask(watcher, request), Err(ErrorCode::NoAuth));
    }
    assert_eq!(lab.machine.statistics().watches, []);
}

#[test]
fn a_client_with_two_watches_on_a_deleted_znode_gets_one_event() {
    let (mut lab, writer, watcher) = two_clients();
    lab.ok(watcher, watch_data("/a/b"));
    lab.ok(watcher, watch_children("/a/b"));
    lab.ok(watcher, watch_children("/a"));
    let seen = lab.events(writer, delete("/a/b"), watcher);
    assert_eq!(seen, [event(Deleted, "/a/b"), event(ChildrenChanged, "/a")]);
    assert_eq!(lab.machine.statistics().watches, []);
}

#[test]
fn events_of_a_write_come_before_its_own_reply() {
    let (mut lab, writer, _) = two_clients();
    lab.ok(writer, watch_data("/a"));
    let outputs = lab.outputs(writer, set("/a", "x"));
    assert_eq!(outputs.len(), 2);
    assert_eq!(events(&outputs[..1], writer), [event(DataChanged, "/a")]);
}

#[test]
fn a_persistent_watch_fires_again_and_again() {
    let (mut lab, writer, watcher) = two_clients();
    assert_eq!(lab.ok(watcher, persistent("/p")), Response::Number(0), "the body is a code");
    for _ in 0..2 {
        for (write, expected) in [
            (create("/p"), vec![event(Created, "/p")]),
            (set("/p", "x"), vec![event(DataChanged, "/p")]),
            (create("/p/c"), vec![event(ChildrenChanged, "/p")]),
            (set("/p/c", "x"), vec![]),
            (delete("/p/c"), vec![event(ChildrenChanged, "/p")]),
            (delete("/p"), vec![event(Deleted, "/p")]),
        ] {
            assert_eq!(lab.events(writer, write.clone(), watcher), expected, "{write:?}");
        }
    }
}

#[test]
fn a_recursive_watch_fires_for_the_whole_subtree_and_not_for_lists_of_children() {
    let (mut lab, writer, watcher) = two_clients();
    lab.ok(watcher, recursive("/p"));
    for _ in 0..2 {
        for (write, expected) in [
            (create("/p"), vec![event(Created, "/p")]),
            (create("/p/c"), vec![event(Created, "/p/c")]),
            (create("/p/c/d"), vec![event(Created, "/p/c/d")]),
            (set("/p/c", "x"), vec![event(DataChanged, "/p/c")]),
            (delete("/p/c/d"), vec![event(Deleted, "/p/c/d")]),
            (delete("/p/c"), vec![event(Deleted, "/p/c")]),
            (delete("/p"), vec![event(Deleted, "/p")]),
            (create("/pp"), vec![]),
            (delete("/pp"), vec![]),
        ] {
            assert_eq!(lab.events(writer, write.clone(), watcher), expected, "{write:?}");
        }
    }
}

#[test]
fn a_znode_below_two_recursive_watches_of_a_client_fires_one_event() {
    let (mut lab, writer, watcher) = two_clients();
    lab.ok(watcher, recursive("/"));
    lab.ok(watcher, recursive("/a"));
    lab.ok(watcher, watch_data("/a/b"));
    assert_eq!(lab.events(writer, set("/a/b", "x"), watcher), [event(DataChanged, "/a/b")]);
}

#[test]
fn a_one_shot_watch_replaces_a_persistent_one() {
    // ZOOKEEPER-4466: one mode for each path, connection and kind.
    let (mut lab, writer, watcher) = two_clients();
    lab.ok(watcher, persistent("/a"));
    lab.ok(watcher, watch_data("/a"));
    assert_eq!(lab.events(writer, set("/a", "1"), watcher), [event(DataChanged, "/a")]);
    assert_eq!(lab.events(writer, set("/a", "2"), watcher), [], "the persistent watch is gone");
    for name in ["/a/1", "/a/2"] {
        let seen = lab.events(writer, create(name), watcher);
        assert_eq!(seen, [event(ChildrenChanged, "/a")], "but not from the list of children");
    }
}

#[test]
fn a_persistent_watch_replaces_a_one_shot_one() {
    let (mut lab, writer, watcher) = two_clients();
    lab.ok(watcher, watch_data("/a"));
    lab.ok(watcher, recursive("/a"));
    lab.ok(watcher, persistent("/a"));
    for _ in 0..2 {
        assert_eq!(lab.events(writer, set("/a", "x"), watcher), [event(DataChanged, "/a")]);
    }
    assert_eq!(lab.events(writer, set("/a/b", "x"), watcher), [], "nor is it recursive any more");
}

#[test]
fn an_unknown_mode_is_refused() {
    let (mut lab, _, watcher) = two_clients();
    let request = Request::AddWatch { path: "/a".into(), mode: 2 };
    assert_eq!(lab.ask(watcher, request), Err(ErrorCode::MarshallingError));
}

#[test]
fn removed_watches_do_not_fire() {
    let remove = |kind| Request::RemoveWatches { path: "/a".into(), kind };
    for (kind, expected) in
        [(1, vec![event(DataChanged, "/a")]), (2, vec![event(ChildrenChanged, "/a")]), (3, vec![])]
    {
        let (mut lab, writer, watcher) = two_clients();
        lab.ok(watcher, watch_data("/a"));
        lab.ok(watcher, watch_children("/a"));
        assert_eq!(lab.ok(watcher, remove(kind)), Response::Empty);
        assert_eq!(lab.ask(watcher, remove(kind)), Err(ErrorCode::NoWatcher));
        let operations = vec![set("/a", "x"), create("/a/c")];
        assert_eq!(lab.events(writer, Request::Multi { operations }, watcher), expected, "kind {kind}");
    }
    let (mut lab, _, watcher) = two_clients();
    assert_eq!(lab.ask(watcher, remove(4)), Err(ErrorCode::MarshallingError));
}

#[test]
fn a_watch_of_another_client_can_be_checked_and_not_removed() {
    let (mut lab, other, watcher) = two_clients();
    let check = |kind| Request::CheckWatches { path: "/a".into(), kind };
    assert_eq!(lab.ask(watcher, check(3)), Err(ErrorCode::NoWatcher));
    lab.ok(watcher, watch_data("/a"));
    for client in [watcher, other] {
        // Apache ZooKeeper of 3.8 does not ask whose it is.
        assert_eq!(lab.ok(client, check(2)), Response::Empty);
        assert_eq!(lab.ok(client, check(3)), Response::Empty);
        assert_eq!(lab.ask(client, check(1)), Err(ErrorCode::NoWatcher));
    }
    assert_eq!(lab.ask(other, check(0)), Err(ErrorCode::MarshallingError));
    for (path, code) in [("a", ErrorCode::MarshallingError), ("", ErrorCode::NoWatcher)] {
        let _ = lab.ask(watcher, watch_exists(path));
        let request = Request::CheckWatches { path: path.into(), kind: 3 };
        assert_eq!(lab.ask(watcher, request), Err(code), "{path:?}");
    }
    let remove = Request::RemoveWatches { path: "/a".into(), kind: 3 };
    assert_eq!(lab.ask(other, remove), Err(ErrorCode::NoWatcher));
}

#[test]
fn watches_end_with_their_connection() {
    let (mut lab, writer, watcher) = two_clients();
    lab.ok(watcher, watch_data("/a"));
    lab.ok(watcher, recursive("/"));
    lab.machine.disconnected(lab.now, watcher);
    assert_eq!(lab.machine.statistics().watches, []);
    assert_eq!(lab.outputs(writer, set("/a", "x")).len(), 1);
}

#[test]
fn watches_that_are_set_again_fire_at_once_for_missed_changes() {
    let (mut lab, writer, watcher) = two_clients();
    lab.ok(writer, create("/still"));
    lab.ok(writer, create("/gone"));
    let relative_zxid = lab.zxid();
    for write in [set("/a", "x"), create("/a/c"), delete("/gone"), create("/new")] {
        lab.ok(writer, write);
    }
    let request = Request::SetWatches {
        relative_zxid,
        data: strings(["/a", "/still", "/gone"]),
        exist: strings(["/new", "/not-yet"]),
        child: strings(["/a", "/still", "/gone"]),
    };
    let outputs = lab.machine.request(lab.now, watcher, Framed { xid: -8, request });
    assert_eq!(
        events(&outputs, watcher),
        [
            event(DataChanged, "/a"),
            event(Deleted, "/gone"),
            event(Created, "/new"),
            event(ChildrenChanged, "/a"),
            event(Deleted, "/gone")
        ]
    );
    let Some(crate::machine::Output::Reply { xid: -8, result: Ok(Response::Empty), .. }) = outputs.last()
    else {
        panic!("{outputs:?}")
    };
    let left = lab.machine.statistics().watches;
    let left: Vec<_> = left.iter().map(|watch| (watch.path.as_str(), watch.kind)).collect();
    assert_eq!(
        left,
        [("/not-yet", WatchKind::Data), ("/still", WatchKind::Data), ("/still", WatchKind::Children)]
    );
}

#[test]
fn persistent_watches_that_are_set_again_do_not_fire_for_missed_changes() {
    let (mut lab, writer, watcher) = two_clients();
    let request = Request::SetWatches2 {
        relative_zxid: 0,
        data: Vec::new(),
        exist: Vec::new(),
        child: Vec::new(),
        persistent: strings(["/a"]),
        persistent_recursive: strings(["/"]),
    };
    assert_eq!(lab.outputs(watcher, request).len(), 1);
    assert_eq!(lab.events(writer, set("/a", "x"), watcher), [event(DataChanged, "/a")]);
    assert_eq!(lab.events(writer, create("/b"), watcher), [event(Created, "/b")]);
    let modes = lab.machine.statistics().watches.iter().map(|watch| watch.mode).collect::<Vec<_>>();
    assert_eq!(
        modes,
        [WatchMode::Recursive, WatchMode::Persistent, WatchMode::Recursive, WatchMode::Persistent]
    );
}

#[test]
fn watchers_of_one_znode_get_events_in_the_order_of_their_connections() {
    let mut lab = Lab::new();
    let clients: Vec<_> = (0..5).map(|_| lab.connect()).collect();
    for client in clients.iter().rev() {
        lab.ok(*client, watch_children("/"));
    }
    let outputs = lab.outputs(clients[0], create("/a"));
    let notified = outputs.iter().filter_map(|output| match output {
        Output::Event { connection, .. } => Some(*connection),
        _ => None,
    });
    assert_eq!(notified.collect::<Vec<_>>(), clients);
}

#[test]
fn events_say_which_transaction_caused_them_if_they_are_to() {
    let zxids = |outputs: &[Output]| -> Vec<i64> {
        let zxid = |output: &Output| match output {
            Output::Event { zxid, .. } => Some(*zxid),
            _ => None,
        };
        outputs.iter().filter_map(zxid).collect()
    };
    for said in [false, true] {
        let mut lab = Lab::with(Settings { event_zxids: said, ..Settings::default() });
        let (writer, watcher) = (lab.connect(), lab.connect());
        lab.ok(watcher, Request::AddWatch { path: "/".into(), mode: 1 });
        let created = lab.outputs(writer, create("/a"));
        let first = lab.zxid();
        let told = lab.outputs(writer, Request::Multi { operations: vec![set("/a", "1"), delete("/a")] });
        let expected = if said { [first, lab.zxid(), lab.zxid()] } else { [WatchEvent::NO_ZXID; 3] };
        assert_eq!([zxids(&created), zxids(&told)].concat(), expected);
    }
}
