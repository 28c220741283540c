use super::lab::*;
use zk_wire::*;

#[test]
fn a_server_begins_with_the_tree_of_the_real_one() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let original = |cversion, num_children| Stat { cversion, num_children, ..Stat::default() };
    for path in ["/", ""] {
        assert_eq!(lab.stat(client, path), original(-1, 1), "{path:?}");
    }
    assert_eq!(lab.stat(client, "/zookeeper"), original(-2, 2));
    assert_eq!(lab.stat(client, "/zookeeper/quota"), original(0, 0));
    assert_eq!(lab.stat(client, "/zookeeper/config"), Stat { aversion: -1, ..original(0, 0) });
    assert_eq!(lab.ok(client, list("/zookeeper")), Response::Strings(strings(["config", "quota"])));
    assert_eq!(lab.ok(client, get("/zookeeper/config")), {
        Response::Data(Some(Vec::new()), Stat { aversion: -1, ..Stat::default() })
    });
    assert_eq!(lab.ask(client, set("/zookeeper/config", "x")), Err(ErrorCode::NoAuth));
    let statistics = lab.machine.statistics();
    assert_eq!((statistics.znodes, statistics.data_size), (5, 44));
}

#[test]
fn a_new_znode_has_the_zxid_and_the_time_of_its_creation() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.now += 5;
    let created = lab.ok(client, create_as(CreateKind::Create2, "/a", 0, -1));
    let (zxid, now) = (lab.zxid(), lab.now);
    let stat = Stat { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: now, mtime: now, ..Stat::default() };
    assert_eq!(created, Response::PathStat("/a".into(), stat));
    assert_eq!(lab.stat(client, "/a"), stat);
}

#[test]
fn children_that_come_and_go_change_cversion_and_pzxid_and_nothing_else() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, create("/a"));
    let before = lab.stat(client, "/a");
    lab.now += 1;
    lab.ok(client, create("/a/b"));
    let pzxid = lab.zxid();
    assert_eq!(lab.stat(client, "/a"), Stat { cversion: 1, num_children: 1, pzxid, ..before });
    lab.ok(client, delete("/a/b"));
    let pzxid = lab.zxid();
    assert_eq!(lab.stat(client, "/a"), Stat { cversion: 2, num_children: 0, pzxid, ..before });
}

#[test]
fn a_write_changes_version_mzxid_mtime_and_length() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, create("/a"));
    let before = lab.stat(client, "/a");
    lab.now += 7;
    let set = lab.ok(client, set("/a", "four"));
    let after = Stat { version: 1, mzxid: lab.zxid(), mtime: lab.now, data_length: 4, ..before };
    assert_eq!(set, Response::Stat(after));
    assert_eq!(lab.ok(client, get("/a")), Response::Data(Some(b"four".to_vec()), after));
}

#[test]
fn null_data_is_not_empty_data() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, create("/a"));
    lab.ok(client, Request::SetData { path: "/a".into(), data: None, version: -1 });
    assert!(matches!(lab.ok(client, get("/a")), Response::Data(None, Stat { data_length: 0, .. })));
}

#[test]
fn an_acl_that_is_set_changes_aversion_only() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, create("/a"));
    let before = lab.stat(client, "/a");
    lab.now += 7;
    let after = Stat { aversion: 1, ..before };
    assert_eq!(lab.ok(client, set_acl("/a", open(), 0)), Response::Stat(after));
    assert_eq!(lab.ok(client, Request::GetAcl { path: "/a".into() }), Response::Acl(open(), after));
}

#[test]
fn every_write_takes_a_zxid_even_a_failed_one_and_no_read_does() {
    let mut lab = Lab::new();
    let client = lab.connect();
    for (request, taken) in [
        (create("/a"), 1),
        (create("/a"), 1),
        (create("bad"), 1),
        (delete("/nope"), 1),
        (set_version("/a", "x", 9), 1),
        (set_acl("/a", Vec::new(), -1), 1),
        (check("/a", 9), 1),
        (Request::Multi { operations: vec![create("/b"), create("/c")] }, 1),
        (Request::Multi { operations: vec![create("/b"), create("/d")] }, 1),
        (Request::Multi { operations: Vec::new() }, 1),
        (Request::Malformed { op_code: 1.into() }, 1),
        (Request::Malformed { op_code: 4.into() }, 0),
        (exists("/a"), 0),
        (get("/nope"), 0),
        (Request::Sync { path: "/".into() }, 0),
        (Request::AddWatch { path: "/a".into(), mode: 0 }, 0),
    ] {
        let before = lab.zxid();
        let shown = format!("{request:?}");
        let _ = lab.ask(client, request);
        assert_eq!(lab.zxid() - before, taken, "{shown}");
    }
}

#[test]
fn the_size_of_the_data_is_that_of_paths_and_data() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let empty = lab.machine.statistics().data_size;
    lab.ok(client, create("/a"));
    lab.ok(client, set("/a", "12345"));
    lab.ok(client, set("/a", "123"));
    assert_eq!(lab.machine.statistics().data_size, empty + 5);
    lab.ok(client, delete("/a"));
    assert_eq!(lab.machine.statistics().data_size, empty);
}
