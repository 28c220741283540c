use super::lab::*;
use crate::machine::{Output, Settings};
use zk_wire::*;

/// Returns what the reply to the first frame says.
fn granted(outputs: &[Output]) -> ConnectResponse {
    let connected = outputs.iter().find_map(|output| match output {
        Output::Connected { response, .. } => Some(response.clone()),
        _ => None,
    });
    connected.unwrap_or_else(|| panic!("not connected: {outputs:?}"))
}

fn reattach(session_id: i64, password: Vec<u8>) -> ConnectRequest {
    ConnectRequest { session_id, password: Some(password), ..new_session() }
}

#[test]
fn a_new_session_is_a_transaction_and_the_ids_count_up() {
    let mut lab = Lab::with(Settings { first_session: 72058018751053824, ..Settings::default() });
    let (_, first) = lab.dial(new_session());
    let (_, second) = lab.dial(new_session());
    let (first, second) = (granted(&first), granted(&second));
    assert_eq!((first.session_id, second.session_id), (72058018751053824, 72058018751053825));
    assert_eq!(first.password, b"\x12<K^7\xf1-\x87@\xea\xfb\x8d\xd8\x85Z\xd1");
    assert_eq!((first.protocol_version, first.timeout_ms, lab.zxid()), (0, 10_000, 2));
}

#[test]
fn the_read_only_flag_is_echoed_as_false_and_only_if_it_was_sent() {
    let mut lab = Lab::new();
    for (sent, echoed) in [(None, None), (Some(false), Some(false)), (Some(true), Some(false))] {
        let (_, outputs) = lab.dial(ConnectRequest { read_only: sent, ..new_session() });
        assert_eq!(granted(&outputs).read_only, echoed);
    }
}

#[test]
fn a_client_that_has_seen_a_newer_zxid_is_closed_without_a_reply() {
    let mut lab = Lab::new();
    lab.connect();
    let zxid = lab.zxid();
    let (ahead, outputs) = lab.dial(ConnectRequest { last_zxid_seen: zxid + 1, ..new_session() });
    assert_eq!(outputs, [Output::Close { connection: ahead }]);
    let (_, outputs) = lab.dial(ConnectRequest { last_zxid_seen: zxid, ..new_session() });
    assert_eq!(granted(&outputs).timeout_ms, 10_000);
}

#[test]
fn zxids_begin_after_the_configured_one() {
    let mut lab = Lab::with(Settings { first_zxid: 5 << 32, ..Settings::default() });
    let (_, outputs) = lab.dial(ConnectRequest { last_zxid_seen: 5 << 32, ..new_session() });
    assert_eq!(granted(&outputs).timeout_ms, 10_000);
    assert_eq!(lab.zxid(), (5 << 32) + 1);
}

#[test]
fn a_session_moves_to_a_new_connection_and_the_old_one_is_closed() {
    let mut lab = Lab::new();
    let (old, outputs) = lab.dial(new_session());
    let ConnectResponse { session_id, password, .. } = granted(&outputs);
    lab.ok(old, ephemeral("/mine"));
    let zxid = lab.zxid();
    let (new, outputs) =
        lab.dial(ConnectRequest { timeout_ms: 20_000, ..reattach(session_id, password.clone()) });
    assert_eq!(outputs[0], Output::Close { connection: old });
    let response = granted(&outputs);
    assert_eq!((response.session_id, response.password, response.timeout_ms), (session_id, password, 20_000));
    assert_eq!((lab.machine.session_of(old), lab.machine.session_of(new)), (None, Some(session_id)));
    assert_eq!(lab.zxid(), zxid, "this is no transaction");
    // The end of the old connection is heard of late, and changes nothing.
    lab.machine.disconnected(lab.now, old);
    assert_eq!(lab.stat(new, "/mine").ephemeral_owner, session_id);
}

#[test]
fn a_session_on_a_new_connection_has_no_watches_and_no_identities() {
    let mut lab = Lab::new();
    let (old, outputs) = lab.dial(new_session());
    let ConnectResponse { session_id, password, .. } = granted(&outputs);
    lab.ask(old, Request::Exists { path: "/a".into(), watch: true }).unwrap_err();
    lab.outputs(old, auth("digest", "user:secret"));
    let (new, _) = lab.dial(reattach(session_id, password));
    assert_eq!(lab.events(new, create("/a"), new), []);
    assert_eq!(lab.ok(new, Request::WhoAmI), Response::Users(vec![("ip".into(), "127.0.0.1".into())]));
}

#[test]
fn a_wrong_password_gets_no_session_and_still_closes_the_old_connection() {
    let mut lab = Lab::new();
    let old = lab.connect();
    let session = lab.session(old);
    let (new, outputs) = lab.dial(reattach(session, vec![7; 16]));
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 0,
        session_id: 0,
        password: vec![0; 16],
        read_only: Some(false),
    };
    assert_eq!(
        outputs,
        [
            Output::Close { connection: old },
            Output::Connected { connection: new, response },
            Output::Close { connection: new }
        ]
    );
    assert_eq!(lab.machine.statistics().sessions[0].connection, None, "the session lives on");
}

#[test]
fn an_unknown_or_ended_session_cannot_be_resumed() {
    let mut lab = Lab::new();
    let (connection, outputs) = lab.dial(new_session());
    let ConnectResponse { session_id, password, .. } = granted(&outputs);
    lab.outputs(connection, Request::CloseSession);
    for (session, password) in [(session_id, password), (12345, vec![0; 16])] {
        let (connection, outputs) = lab.dial(reattach(session, password));
        assert_eq!((granted(&outputs).session_id, granted(&outputs).timeout_ms), (0, 0));
        assert_eq!(outputs.last(), Some(&Output::Close { connection }));
    }
}

#[test]
fn close_deletes_all_ephemerals_in_one_transaction_then_replies_then_closes() {
    let mut lab = Lab::new();
    let (closing, watcher) = (lab.connect(), lab.connect());
    let session = lab.session(closing);
    lab.ok(closing, create("/p"));
    for path in ["/p/a", "/p/b"] {
        lab.ok(closing, ephemeral(path));
    }
    lab.ok(watcher, Request::AddWatch { path: "/".into(), mode: 1 });
    let zxid = lab.zxid();
    let outputs = lab.outputs(closing, Request::CloseSession);
    let deleted = |path| event(EventKind::Deleted, path);
    let mut seen = events(&outputs, watcher);
    seen.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(seen, [deleted("/p/a"), deleted("/p/b")]);
    let [.., ended, reply, close] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(*ended, Output::SessionEnded { session, expired: false });
    assert!(
        matches!(reply, Output::Reply { zxid: replied, result: Ok(Response::Empty), .. } if *replied == zxid + 1)
    );
    assert_eq!(*close, Output::Close { connection: closing });
    assert_eq!(lab.stat(watcher, "/p").pzxid, zxid + 1);
    assert_eq!(lab.machine.session_of(closing), None);
}

#[test]
fn a_closing_client_gets_the_events_of_its_own_znodes() {
    let mut lab = Lab::new();
    let closing = lab.connect();
    lab.ok(closing, ephemeral("/a"));
    lab.ok(closing, Request::GetData { path: "/a".into(), watch: true });
    assert_eq!(lab.events(closing, Request::CloseSession, closing), [event(EventKind::Deleted, "/a")]);
}

#[test]
fn a_silent_session_expires_at_the_first_whole_tick_after_its_timeout() {
    let mut lab = Lab::with(Settings { tick_ms: 1000, ..Settings::default() });
    let (silent, watcher) = (lab.connect(), lab.connect());
    let session = lab.session(silent);
    lab.ok(silent, ephemeral("/a"));
    lab.ok(watcher, Request::Exists { path: "/a".into(), watch: true });
    lab.now += 1;
    lab.outputs(silent, Request::Ping);
    let due = START + 11_000;
    assert_eq!(lab.machine.next_deadline(), Some(due));
    lab.now = due - 1;
    lab.outputs(watcher, Request::Ping);
    assert_eq!(lab.machine.advance(due - 1), []);
    let outputs = lab.machine.advance(due);
    let gone = WatchEvent { kind: EventKind::Deleted, path: "/a".into() };
    assert_eq!(
        outputs,
        [
            Output::Close { connection: silent },
            Output::Event { connection: watcher, zxid: WatchEvent::NO_ZXID, event: gone },
            Output::SessionEnded { session, expired: true }
        ]
    );
    assert_eq!(lab.machine.next_deadline(), Some(START + 21_000), "the other one pinged at the end");
}

#[test]
fn a_session_without_connection_lives_until_it_expires() {
    let mut lab = Lab::new();
    let (gone, other) = (lab.connect(), lab.connect());
    let session = lab.session(gone);
    lab.ok(gone, ephemeral("/a"));
    lab.machine.disconnected(lab.now, gone);
    assert!(lab.is_there(other, "/a"));
    let due = lab.machine.next_deadline().unwrap();
    let outputs = lab.machine.advance(due);
    assert_eq!(outputs[0], Output::SessionEnded { session, expired: true }, "there is nobody to close");
}

#[test]
fn a_session_can_be_expired_at_once() {
    let mut lab = Lab::new();
    let (gone, other) = (lab.connect(), lab.connect());
    let session = lab.session(gone);
    lab.ok(gone, ephemeral("/a"));
    let outputs = lab.machine.expire(lab.now, session);
    assert_eq!(
        outputs,
        [Output::Close { connection: gone }, Output::SessionEnded { session, expired: true }]
    );
    assert!(!lab.is_there(other, "/a"));
    assert_eq!(lab.machine.expire(lab.now, session), []);
}

#[test]
fn requests_without_a_session_close_the_connection() {
    let mut lab = Lab::new();
    assert_eq!(lab.outputs(99, get("/")), [Output::Close { connection: 99 }], "before it");
    let connection = lab.connect();
    lab.outputs(connection, Request::CloseSession);
    assert_eq!(lab.outputs(connection, get("/")), [Output::Close { connection }], "after it");
}

#[test]
fn a_second_first_frame_closes_the_connection() {
    let mut lab = Lab::new();
    let connection = lab.connect();
    let peer = std::net::Ipv4Addr::LOCALHOST.into();
    let outputs = lab.machine.connect(lab.now, connection, peer, new_session());
    assert_eq!(outputs, [Output::Close { connection }]);
}

#[test]
fn a_znode_of_a_later_session_outlives_the_earlier_one() {
    let mut lab = Lab::new();
    let (first, second) = (lab.connect(), lab.connect());
    lab.ok(first, ephemeral("/a"));
    lab.ok(second, delete("/a"));
    lab.ok(second, ephemeral("/a"));
    lab.outputs(first, Request::CloseSession);
    assert_eq!(lab.stat(second, "/a").ephemeral_owner, lab.session(second));
}
