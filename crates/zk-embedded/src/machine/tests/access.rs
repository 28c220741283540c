use super::lab::*;
use crate::machine::Output;
use zk_wire::*;

/// `secret` of `user`, in an ACL.
const USER: &str = "user:5w9W4eL3797Y4Wq8AcKUPPk8ha4=";

fn get_acl(path: &str) -> Request {
    Request::GetAcl { path: path.into() }
}

#[test]
fn the_reply_to_an_auth_packet_has_zxid_0() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let outputs =
        lab.machine.request(lab.now, client, Framed { xid: -4, request: auth("digest", "user:secret") });
    let result = Ok(Response::Empty);
    assert_eq!(outputs, [Output::Reply { connection: client, xid: -4, zxid: 0, result }]);
    lab.outputs(client, auth("digest", "user:secret"));
    lab.outputs(client, auth("ip", ""));
    let users = [("ip", "127.0.0.1"), ("digest", "user")].map(|(scheme, user)| (scheme.into(), user.into()));
    assert_eq!(lab.ok(client, Request::WhoAmI), Response::Users(users.to_vec()), "each once");
}

#[test]
fn a_failed_auth_closes_the_connection_and_not_the_session() {
    for request in [auth("nonsense", "a:b"), Request::Auth { kind: 0, scheme: "digest".into(), data: None }] {
        let mut lab = Lab::new();
        let client = lab.connect();
        let outputs = lab.machine.request(lab.now, client, Framed { xid: -4, request });
        let result = Err(ErrorCode::AuthFailed);
        assert_eq!(
            outputs,
            [
                Output::Reply { connection: client, xid: -4, zxid: 0, result },
                Output::Close { connection: client }
            ]
        );
        assert_eq!(lab.machine.statistics().sessions.len(), 1);
    }
}

#[test]
fn an_auth_packet_does_not_keep_the_session_alive() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let due = lab.machine.next_deadline();
    lab.now += 5000;
    lab.outputs(client, auth("digest", "a:b"));
    assert_eq!(lab.machine.next_deadline(), due);
    lab.outputs(client, get("/"));
    assert!(lab.machine.next_deadline() > due);
}

#[test]
fn an_acl_refuses_a_session_without_the_identity() {
    let mut lab = Lab::new();
    let (owner, stranger) = (lab.connect(), lab.connect());
    lab.outputs(owner, auth("digest", "user:secret"));
    lab.ok(owner, create_with("/a", acl(31, "auth", "")));
    let Response::Acl(stored, _) = lab.ok(owner, get_acl("/a")) else { panic!("no acl") };
    assert_eq!(stored, acl(31, "digest", USER));
    for request in
        [get("/a"), set("/a", ""), create("/a/b"), list("/a"), get_acl("/a"), set_acl("/a", open(), -1)]
    {
        assert_eq!(lab.ask(stranger, request.clone()), Err(ErrorCode::NoAuth), "{request:?}");
    }
    lab.ok(owner, create("/a/b"));
    assert_eq!(lab.ask(stranger, delete("/a/b")), Err(ErrorCode::NoAuth));
    lab.ok(owner, delete("/a/b"));
    lab.ok(stranger, delete("/a"));
}

#[test]
fn the_scheme_auth_needs_an_identity() {
    let mut lab = Lab::new();
    let client = lab.connect();
    assert_eq!(lab.ask(client, create_with("/a", acl(31, "auth", ""))), Err(ErrorCode::InvalidAcl));
}

#[test]
fn get_acl_shows_hashes_only_to_a_session_that_may_change_the_acl() {
    let mut lab = Lab::new();
    let (owner, reader) = (lab.connect(), lab.connect());
    lab.outputs(owner, auth("digest", "user:secret"));
    let entries = [acl(31, "digest", USER), acl(1, "world", "anyone")].concat();
    lab.ok(owner, create_with("/a", entries.clone()));
    let masked = [acl(31, "digest", "user:x"), acl(1, "world", "anyone")].concat();
    for (client, expected) in [(owner, entries), (reader, masked)] {
        let Response::Acl(shown, _) = lab.ok(client, get_acl("/a")) else { panic!("no acl") };
        assert_eq!(shown, expected);
    }
}

#[test]
fn an_address_is_an_identity() {
    let mut lab = Lab::new();
    let near = lab.connect();
    let (far, _) = lab.dial_from("192.0.2.7".parse().unwrap(), new_session());
    lab.ok(near, create_with("/a", acl(31, "ip", "127.0.0.0/8")));
    lab.ok(near, get("/a"));
    assert_eq!(lab.ask(far, get("/a")), Err(ErrorCode::NoAuth));
}

#[test]
fn a_session_that_may_not_read_gets_no_events() {
    let mut lab = Lab::new();
    let (owner, stranger) = (lab.connect(), lab.connect());
    lab.outputs(owner, auth("digest", "user:secret"));
    for client in [owner, stranger] {
        lab.ask(client, Request::Exists { path: "/a".into(), watch: true }).unwrap_err();
        lab.ok(client, Request::AddWatch { path: "/".into(), mode: 1 });
    }
    let outputs = lab.outputs(owner, create_with("/a", acl(31, "auth", "")));
    assert_eq!(events(&outputs, owner), [event(EventKind::Created, "/a")]);
    assert_eq!(events(&outputs, stranger), []);
    assert!(!lab.machine.statistics().watches.iter().any(|watch| watch.path == "/a"), "spent all the same");
}
