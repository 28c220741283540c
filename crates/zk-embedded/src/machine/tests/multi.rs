use super::lab::*;
use zk_wire::*;

fn multi<const N: usize>(operations: [Request; N]) -> Request {
    Request::Multi { operations: operations.to_vec() }
}

fn results(response: Response) -> Vec<MultiResult> {
    let Response::Multi(results) = response else { panic!("{response:?}") };
    results
}

#[test]
fn all_operations_are_one_transaction_and_each_sees_the_ones_before() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let before = lab.zxid();
    let operations = [
        create("/a"),
        create("/a/b"),
        set_version("/a", "x", 0),
        check("/a", 1),
        delete("/a/b"),
        sequential("/a/s"),
        sequential("/a/s"),
    ];
    let results = results(lab.ok(client, multi(operations)));
    let zxid = before + 1;
    let MultiResult::SetData(set) = results[2] else { panic!("{results:?}") };
    assert_eq!((set.version, set.num_children, set.cversion, set.mzxid), (1, 1, 1, zxid));
    let created = |path: &str| MultiResult::Create(path.into());
    assert_eq!(
        results,
        [
            created("/a"),
            created("/a/b"),
            MultiResult::SetData(set),
            MultiResult::Check,
            MultiResult::Delete,
            created("/a/s0000000001"),
            created("/a/s0000000002")
        ]
    );
    assert_eq!(lab.zxid(), zxid);
    let stat = lab.stat(client, "/a");
    assert_eq!(
        (stat.czxid, stat.mzxid, stat.pzxid, stat.cversion, stat.num_children),
        (zxid, zxid, zxid, 4, 2)
    );
}

#[test]
fn a_failed_operation_undoes_the_multi_and_has_its_error() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, Request::AddWatch { path: "/".into(), mode: 1 });
    let operations = [create("/a"), sequential("/s"), create("/zookeeper"), create("/b"), delete("/nope")];
    let outputs = lab.outputs(client, multi(operations));
    assert_eq!(events(&outputs, client), [], "nothing has happened");
    assert_eq!(outputs.len(), 1);
    let codes = [
        ErrorCode::Ok,
        ErrorCode::Ok,
        ErrorCode::NodeExists,
        ErrorCode::RuntimeInconsistency,
        ErrorCode::RuntimeInconsistency,
    ];
    let again = multi([create("/a"), sequential("/s"), create("/zookeeper"), create("/b"), delete("/nope")]);
    assert_eq!(results(lab.ok(client, again)), codes.map(MultiResult::Error));
    assert_eq!(lab.ok(client, list("/")), Response::Strings(strings(["zookeeper"])));
    assert_eq!(lab.ok(client, sequential("/s")), Response::Path("/s0000000000".into()), "nor was it counted");
}

#[test]
fn an_operation_fails_because_of_an_earlier_one_in_the_multi() {
    for (operations, code) in [
        ([create("/x"), create("/x")], ErrorCode::NodeExists),
        ([delete("/a"), set("/a", "")], ErrorCode::NoNode),
        ([delete("/a"), create("/a/b")], ErrorCode::NoNode),
        ([create("/a/b"), delete("/a")], ErrorCode::NotEmpty),
        ([set("/a", ""), check("/a", 0)], ErrorCode::BadVersion),
        ([ephemeral("/x"), create("/x/y")], ErrorCode::NoChildrenForEphemerals),
        ([create_with("/x", acl(1, "world", "anyone")), set("/x", "")], ErrorCode::NoAuth),
    ] {
        let mut lab = Lab::new();
        let client = lab.connect();
        lab.ok(client, create("/a"));
        let expected = [MultiResult::Error(ErrorCode::Ok), MultiResult::Error(code)];
        let shown = format!("{operations:?}");
        assert_eq!(results(lab.ok(client, multi(operations))), expected, "{shown}");
    }
}

#[test]
fn a_znode_can_be_replaced() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, ephemeral("/a"));
    lab.ok(client, multi([delete("/a"), create("/a")]));
    let stat = lab.stat(client, "/a");
    assert_eq!((stat.ephemeral_owner, stat.czxid, stat.version), (0, lab.zxid(), 0));
    assert_eq!(lab.machine.statistics().ephemerals, 0);
}

#[test]
fn flags_decide_which_create_it_is() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let as_kind = |kind, path: &str, flags| create_as(kind, path, flags, -1);
    let operations = [
        as_kind(CreateKind::Create2, "/a", 0),
        as_kind(CreateKind::Container, "/b", 0),
        as_kind(CreateKind::Create, "/c", 4),
        as_kind(CreateKind::Container, "/d", 4),
    ];
    let results = results(lab.ok(client, multi(operations)));
    let with_stat = results.iter().map(|result| matches!(result, MultiResult::Create2(..)));
    assert_eq!(with_stat.collect::<Vec<_>>(), [false, false, true, true]);
    assert!(results.iter().all(|result| matches!(result, MultiResult::Create(_) | MultiResult::Create2(..))));
}

#[test]
fn times_to_live_are_refused() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let ttl = create_as(CreateKind::Ttl, "/t", 5, 1000);
    assert_eq!(results(lab.ok(client, multi([ttl]))), [MultiResult::Error(ErrorCode::Unimplemented)]);
    let without = create_as(CreateKind::Create, "/t", 5, -1);
    assert_eq!(lab.ask(client, multi([without])), Err(ErrorCode::MarshallingError));
}

#[test]
fn reads_and_writes_do_not_mix() {
    let mut lab = Lab::new();
    let client = lab.connect();
    for operations in [vec![get("/")], vec![create("/a"), get("/")], vec![set_acl("/", open(), -1)]] {
        assert_eq!(lab.ask(client, Request::Multi { operations }), Err(ErrorCode::MarshallingError));
    }
    assert!(!lab.is_there(client, "/a"));
    let operations = vec![get("/"), create("/a")];
    let failed = Response::FailedMultiRead(ErrorCode::MarshallingError);
    assert_eq!(lab.ok(client, Request::MultiRead { operations }), failed);
}

#[test]
fn a_multi_may_be_empty() {
    let mut lab = Lab::new();
    let client = lab.connect();
    assert_eq!(results(lab.ok(client, multi([]))), []);
}

#[test]
fn events_of_a_multi_come_in_the_order_of_its_operations_and_before_the_reply() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, Request::AddWatch { path: "/".into(), mode: 1 });
    let outputs = lab.outputs(client, multi([create("/a"), set("/a", "x"), delete("/a")]));
    let kinds = [EventKind::Created, EventKind::DataChanged, EventKind::Deleted];
    assert_eq!(events(&outputs, client), kinds.map(|kind| event(kind, "/a")));
    assert_eq!(outputs.len(), 4);
}

#[test]
fn a_multi_read_of_more_than_64_mib_fails() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, create("/a"));
    lab.ok(client, set("/a", &"x".repeat(1 << 20)));
    let read = |count| Request::MultiRead { operations: vec![get("/a"); count] };
    assert!(matches!(lab.ok(client, read(64)), Response::MultiRead(results) if results.len() == 64));
    assert_eq!(lab.ask(client, read(65)), Err(ErrorCode::MarshallingError));
}

#[test]
fn reads_of_a_multi_read_succeed_and_fail_one_by_one() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, create_with("/locked", acl(2, "world", "anyone")));
    let watching = Request::GetData { path: "/".into(), watch: true };
    let operations = vec![watching, get("/nope"), list("/locked"), list("/zookeeper")];
    let root = lab.stat(client, "/");
    assert_eq!(
        lab.ok(client, Request::MultiRead { operations }),
        Response::MultiRead(vec![
            MultiResult::Data(Some(Vec::new()), root),
            MultiResult::Error(ErrorCode::NoNode),
            MultiResult::Error(ErrorCode::NoAuth),
            MultiResult::Children(strings(["config", "quota"]))
        ])
    );
    assert_eq!(lab.machine.statistics().watches, [], "they leave no watches");
}
