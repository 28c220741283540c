//! Everything else that can be asked.

use super::lab::*;
use crate::machine::{Machine, Output, Settings};
use zk_wire::*;

#[test]
fn the_reply_to_a_ping_has_xid_minus_2() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let outputs = lab.machine.request(lab.now, client, Framed { xid: 7, request: Request::Ping });
    let result = Ok(Response::Empty);
    assert_eq!(outputs, [Output::Reply { connection: client, xid: -2, zxid: 1, result }]);
}

#[test]
fn sync_returns_the_path_whatever_it_is() {
    let mut lab = Lab::new();
    let client = lab.connect();
    for path in ["/", "/nope", "", "zzz"] {
        assert_eq!(lab.ok(client, Request::Sync { path: path.into() }), Response::Synced(path.into()));
    }
}

#[test]
fn an_unknown_op_code_is_refused_with_zxid_minus_1_and_ends_the_connection() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let outputs = lab.machine.request(
        lab.now,
        client,
        Framed { xid: 3, request: Request::Unknown { op_code: 77.into() } },
    );
    let result = Err(ErrorCode::Unimplemented);
    assert_eq!(
        outputs,
        [
            Output::Reply { connection: client, xid: 3, zxid: -1, result },
            Output::Close { connection: client }
        ]
    );
    assert_eq!(lab.machine.statistics().sessions.len(), 1, "the session lives on");
}

#[test]
fn op_codes_that_are_known_and_not_served_get_the_replies_of_apache_zookeeper() {
    let mut lab = Lab::new();
    let client = lab.connect();
    assert_eq!(lab.ask(client, Request::Unknown { op_code: 16.into() }), Err(ErrorCode::ReconfigDisabled));
    assert_eq!(lab.ask(client, Request::Unknown { op_code: 20.into() }), Err(ErrorCode::BadArguments));
    let outputs = lab.machine.request(
        lab.now,
        client,
        Framed { xid: 3, request: Request::Unknown { op_code: 102.into() } },
    );
    let result = Ok(Response::Number(-1));
    assert_eq!(outputs, [Output::Reply { connection: client, xid: 3, zxid: 0, result }]);
}

#[test]
fn a_malformed_request_is_refused_and_a_malformed_auth_packet_ends_the_connection() {
    let mut lab = Lab::new();
    let client = lab.connect();
    assert_eq!(lab.ask(client, Request::Malformed { op_code: 4.into() }), Err(ErrorCode::MarshallingError));
    let outputs = lab.outputs(client, Request::Malformed { op_code: 100.into() });
    assert_eq!(outputs, [Output::Close { connection: client }]);
}

#[test]
fn a_check_outside_of_a_multi_gets_a_reply_only_if_it_fails() {
    let mut lab = Lab::new();
    let client = lab.connect();
    assert_eq!(lab.outputs(client, check("/", 0)), []);
    assert_eq!(lab.ask(client, check("/", 1)), Err(ErrorCode::BadVersion));
}

#[test]
fn all_children_are_counted_at_any_depth() {
    let mut lab = Lab::new();
    let client = lab.connect();
    for path in ["/a", "/a/b", "/a/b/c", "/a-b", "/a0"] {
        lab.ok(client, create(path));
    }
    for (path, count) in [("/a", 2), ("/a/b", 1), ("/a0", 0), ("/zookeeper", 2), ("/", 8), ("", 9)] {
        let request = Request::GetAllChildrenNumber { path: path.into() };
        assert_eq!(lab.ok(client, request), Response::Number(count), "{path:?}");
    }
}

#[test]
fn ephemerals_are_those_of_the_session_that_asks() {
    let mut lab = Lab::new();
    let (client, other) = (lab.connect(), lab.connect());
    for path in ["/b", "/a", "/ab"] {
        lab.ok(client, ephemeral(path));
    }
    lab.ok(other, ephemeral("/c"));
    for (prefix, found) in [
        ("/", vec!["/a", "/ab", "/b"]),
        ("", vec!["/a", "/ab", "/b"]),
        ("/a", vec!["/a", "/ab"]),
        ("/c", vec![]),
    ] {
        let found = found.into_iter().map(String::from).collect();
        let request = Request::GetEphemerals { prefix: prefix.into() };
        assert_eq!(lab.ok(client, request), Response::Strings(found), "{prefix:?}");
    }
}

#[test]
fn both_lists_of_children_are_sorted() {
    let mut lab = Lab::new();
    let client = lab.connect();
    for path in ["/b", "/a", "/c"] {
        lab.ok(client, create(path));
    }
    let names = strings(["a", "b", "c", "zookeeper"]);
    assert_eq!(lab.ok(client, list("/")), Response::Strings(names.clone()));
    let stat = lab.stat(client, "/");
    let request = Request::GetChildren2 { path: "/".into(), watch: false };
    assert_eq!(lab.ok(client, request), Response::Children(names, stat));
}

#[test]
fn statistics_count_sessions_and_connections() {
    let mut lab = Lab::new();
    let (first, second) = (lab.connect(), lab.connect());
    for path in ["/b", "/a"] {
        lab.ok(first, ephemeral(path));
    }
    lab.machine.disconnected(lab.now, second);
    let statistics = lab.machine.statistics();
    let [one, two] = &statistics.sessions[..] else { panic!("{statistics:?}") };
    assert_eq!((one.connection, two.connection), (Some(first), None));
    assert_eq!((one.timeout_ms, one.expires_at), (10_000, START + 12_000));
    assert_eq!(one.ephemerals, ["/b", "/a"]);
    assert_eq!((statistics.ephemerals, statistics.znodes, statistics.zxid), (2, 7, 4));
}

#[test]
fn an_idle_server_has_no_deadline() {
    let mut machine = Machine::new(Settings::default());
    assert_eq!(machine.next_deadline(), None);
    assert_eq!(machine.advance(START), []);
    assert_eq!(machine.next_deadline(), None);
}
