//! Which error a bad request gets, and which of two that apply.

use super::lab::*;
use zk_wire::*;

fn lab_with_znodes() -> (Lab, u64) {
    let mut lab = Lab::new();
    let client = lab.connect();
    for request in
        [create("/a"), create("/a/b"), ephemeral("/e"), create_with("/locked", acl(16, "world", "anyone"))]
    {
        lab.ok(client, request);
    }
    (lab, client)
}

#[test]
fn creates_are_checked_in_the_order_of_apache_zookeeper() {
    let (mut lab, client) = lab_with_znodes();
    let bad_acl = |path: &str| create_with(path, Vec::new());
    for (request, code) in [
        (create_as(CreateKind::Create, "/x", 7, -1), ErrorCode::BadArguments),
        (create_as(CreateKind::Create, "/x", -1, -1), ErrorCode::BadArguments),
        (create_as(CreateKind::Create, "x", 5, -1), ErrorCode::Unimplemented),
        (create(""), ErrorCode::BadArguments),
        (create("x"), ErrorCode::BadArguments),
        (create("/x\0"), ErrorCode::BadArguments),
        (bad_acl("x"), ErrorCode::BadArguments),
        (bad_acl("/nope/x"), ErrorCode::InvalidAcl),
        (bad_acl("/a"), ErrorCode::InvalidAcl),
        (create("/nope/x"), ErrorCode::NoNode),
        (create("/nope/.."), ErrorCode::NoNode),
        (create("x/y"), ErrorCode::NoNode),
        (create("/a/"), ErrorCode::BadArguments),
        (create("/a/.."), ErrorCode::BadArguments),
        (create("//x"), ErrorCode::BadArguments),
        (create("/\u{1}"), ErrorCode::BadArguments),
        (create("/locked/.."), ErrorCode::NoAuth),
        (create("/"), ErrorCode::NodeExists),
        (create("/a"), ErrorCode::NodeExists),
        (create("/e/.."), ErrorCode::BadArguments),
        (create("/e/x"), ErrorCode::NoChildrenForEphemerals),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(lab.ask(client, request), Err(code), "{shown}");
    }
}

#[test]
fn a_sequential_name_may_consist_of_the_counter_alone() {
    let (mut lab, client) = lab_with_znodes();
    assert_eq!(lab.ok(client, sequential("/a/")), Response::Path("/a/0000000001".into()));
    assert_eq!(lab.ok(client, sequential("/a/..")), Response::Path("/a/..0000000002".into()));
}

#[test]
fn deletes_are_checked_in_the_order_of_apache_zookeeper() {
    let (mut lab, client) = lab_with_znodes();
    for (request, code) in [
        (delete(""), ErrorCode::BadArguments),
        (delete("x"), ErrorCode::BadArguments),
        (delete("/"), ErrorCode::BadArguments),
        (delete("/zookeeper/config"), ErrorCode::BadArguments),
        (delete("/a\0"), ErrorCode::BadArguments),
        (delete("/nope/x"), ErrorCode::NoNode),
        (delete("/locked/x"), ErrorCode::NoAuth),
        (delete("/a/"), ErrorCode::NoNode),
        (delete_version("/nope", 3), ErrorCode::NoNode),
        (delete_version("/a", 3), ErrorCode::BadVersion),
        (delete("/a"), ErrorCode::NotEmpty),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(lab.ask(client, request), Err(code), "{shown}");
    }
    lab.ok(client, delete_version("/a/b", 0));
    lab.ok(client, delete("/a"));
}

#[test]
fn other_writes_are_checked_in_the_order_of_apache_zookeeper() {
    let (mut lab, client) = lab_with_znodes();
    for (request, code) in [
        (set("", "x"), ErrorCode::BadArguments),
        (set("/a/", "x"), ErrorCode::BadArguments),
        (set("/nope", "x"), ErrorCode::NoNode),
        (set_version("/locked", "x", 9), ErrorCode::NoAuth),
        (set_version("/a", "x", 1), ErrorCode::BadVersion),
        (set_acl("/a/", Vec::new(), -1), ErrorCode::BadArguments),
        (set_acl("/nope", Vec::new(), -1), ErrorCode::InvalidAcl),
        (set_acl("/nope", open(), -1), ErrorCode::NoNode),
        (set_acl("/zookeeper/config", open(), -1), ErrorCode::NoAuth),
        (set_acl("/a", open(), 1), ErrorCode::BadVersion),
        (check("a", 0), ErrorCode::BadArguments),
        (check("/nope", 0), ErrorCode::NoNode),
        (check("/locked", 0), ErrorCode::NoAuth),
        (check("/a", 1), ErrorCode::BadVersion),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(lab.ask(client, request), Err(code), "{shown}");
    }
}

#[test]
fn reads_accept_paths_that_creates_refuse() {
    let (mut lab, client) = lab_with_znodes();
    let children2 = |path: &str| Request::GetChildren2 { path: path.into(), watch: false };
    let get_acl = |path: &str| Request::GetAcl { path: path.into() };
    let count = |path: &str| Request::GetAllChildrenNumber { path: path.into() };
    for path in ["a", "/a/", "//", "/nope", "/..", "\0"] {
        for request in [get(path), list(path), children2(path), get_acl(path), count(path)] {
            assert_eq!(lab.ask(client, request), Err(ErrorCode::NoNode), "{path:?}");
        }
    }
    for request in [get("/locked"), list("/locked"), children2("/locked"), count("/locked")] {
        assert_eq!(lab.ask(client, request), Err(ErrorCode::NoAuth));
    }
    assert_eq!(lab.ask(client, exists("/a/")), Err(ErrorCode::NoNode));
    assert_eq!(lab.ask(client, exists("/\0")), Err(ErrorCode::BadArguments));
    lab.ok(client, exists("/locked"));
    lab.ok(client, get_acl("/locked"));
}
