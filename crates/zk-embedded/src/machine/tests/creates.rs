use super::lab::*;
use crate::machine::{Output, Settings};
use zk_wire::*;

fn created(response: Response) -> String {
    let Response::Path(path) = response else { panic!("{response:?}") };
    path
}

#[test]
fn sequential_names_count_the_children_ever_created() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, create("/q"));
    assert_eq!(created(lab.ok(client, sequential("/q/a-"))), "/q/a-0000000000");
    assert_eq!(created(lab.ok(client, sequential("/q/b-"))), "/q/b-0000000001");
    lab.ok(client, delete("/q/a-0000000000"));
    lab.ok(client, delete("/q/b-0000000001"));
    assert_eq!(created(lab.ok(client, sequential("/q/"))), "/q/0000000002", "deletes do not count");
    lab.ok(client, create("/q/other"));
    assert_eq!(created(lab.ok(client, create_as(CreateKind::Create, "/q/e", 3, -1))), "/q/e0000000004");
    lab.ask(client, create("/q/other")).unwrap_err();
    assert_eq!(created(lab.ok(client, sequential("/q/f"))), "/q/f0000000005", "nor do failures");
}

#[test]
fn an_ephemeral_sequential_znode_is_both() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let path = created(lab.ok(client, create_as(CreateKind::Create, "/e", 3, -1)));
    assert_eq!(lab.stat(client, &path).ephemeral_owner, lab.session(client));
}

#[test]
fn ephemerals_have_no_children() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, ephemeral("/e"));
    assert_eq!(lab.ask(client, create("/e/c")), Err(ErrorCode::NoChildrenForEphemerals));
}

#[test]
fn containers_and_times_to_live_show_no_owner() {
    let mut lab = Lab::with(Settings { extended_types: true, ..Settings::default() });
    let client = lab.connect();
    for request in [container("/c"), create_as(CreateKind::Ttl, "/t", 5, 1000)] {
        let Response::PathStat(path, stat) = lab.ok(client, request) else { panic!("no stat") };
        assert_eq!((stat.ephemeral_owner, lab.stat(client, &path)), (0, stat));
        lab.ok(client, create(&format!("{path}/child")));
    }
}

#[test]
fn a_container_is_deleted_by_the_first_check_after_its_last_child() {
    let mut lab = Lab::new();
    let client = lab.connect();
    let mut look = START + 60_000;
    let mut ask_and_look = |lab: &mut Lab, request| {
        lab.now = look - 1;
        lab.ok(client, request);
        assert_eq!(lab.machine.advance(look - 1), [], "too early");
        look += 60_000;
        lab.machine.advance(look - 60_000)
    };
    assert_eq!(ask_and_look(&mut lab, container("/c")), [], "a new one waits for its first child");
    assert_eq!(ask_and_look(&mut lab, create("/c/d")), []);
    lab.ok(client, Request::Exists { path: "/c".into(), watch: true });
    let zxid = lab.zxid();
    let outputs = ask_and_look(&mut lab, delete("/c/d"));
    assert_eq!(events(&outputs, client), [event(EventKind::Deleted, "/c")]);
    assert_eq!(lab.zxid(), zxid + 2, "the delete of the child, and that of the container");
}

#[test]
fn nested_containers_are_deleted_by_one_check_each() {
    let mut lab = Lab::new();
    let client = lab.connect();
    for request in [container("/c"), container("/c/d"), create("/c/d/e"), delete("/c/d/e")] {
        lab.ok(client, request);
    }
    let znodes = |lab: &Lab| lab.machine.statistics().znodes;
    let before = znodes(&lab);
    for gone in [1, 2] {
        lab.now += 60_000;
        lab.outputs(client, Request::Ping);
        lab.machine.advance(lab.now);
        assert_eq!(before - znodes(&lab), gone);
    }
}

#[test]
fn a_jump_of_the_clock_runs_the_checks_that_it_skipped() {
    let mut lab = Lab::new();
    let client = lab.connect();
    for request in [container("/c"), container("/c/d"), ephemeral("/c/d/e")] {
        lab.ok(client, request);
    }
    lab.now += 1000 * 60_000 * 60 * 24 * 365;
    let outputs = lab.machine.advance(lab.now);
    assert!(matches!(outputs.last(), Some(Output::SessionEnded { .. })));
    assert_eq!(lab.machine.statistics().znodes, 5, "the session, and with it both containers");
}

#[test]
fn a_time_to_live_is_counted_from_the_last_write() {
    let mut lab = Lab::with(Settings { extended_types: true, ..Settings::default() });
    let client = lab.connect();
    lab.ok(client, create_as(CreateKind::Ttl, "/t", 5, 50_000));
    lab.now += 20_000;
    lab.ok(client, set("/t", ""));
    for (at, there) in [(60_000, true), (120_000, false)] {
        lab.now = START + at - 1;
        lab.outputs(client, Request::Ping);
        lab.machine.advance(START + at);
        assert_eq!(lab.is_there(client, "/t"), there, "after {at} ms");
    }
}

#[test]
fn a_time_to_live_is_refused_unless_it_is_allowed_and_valid() {
    let ttl = |flags, ttl| create_as(CreateKind::Ttl, "/t", flags, ttl);
    let mut lab = Lab::new();
    let client = lab.connect();
    for request in [ttl(5, 1000), ttl(6, 1000), ttl(5, -1), create_as(CreateKind::Create, "/t", 5, -1)] {
        assert_eq!(lab.ask(client, request), Err(ErrorCode::Unimplemented));
    }
    assert_eq!(lab.ask(client, ttl(0, 1000)), Err(ErrorCode::BadArguments));

    let mut lab = Lab::with(Settings { extended_types: true, ..Settings::default() });
    let client = lab.connect();
    for request in
        [ttl(5, 0), ttl(5, -1), ttl(5, 1 << 40), ttl(0, 1000), create_as(CreateKind::Create, "/t", 5, 9)]
    {
        assert_eq!(lab.ask(client, request), Err(ErrorCode::BadArguments));
    }
    let sequential = lab.ok(client, ttl(6, 1000));
    assert!(matches!(sequential, Response::PathStat(path, _) if path == "/t0000000000"));
}

#[test]
fn the_op_code_decides_where_the_flags_disagree() {
    let mut lab = Lab::new();
    let client = lab.connect();
    lab.ok(client, create_as(CreateKind::Create, "/plain", 4, -1));
    lab.ok(client, create_as(CreateKind::Container, "/container", 0, -1));
    for parent in ["/plain", "/container"] {
        lab.ok(client, create(&format!("{parent}/a")));
        lab.ok(client, delete(&format!("{parent}/a")));
    }
    lab.now += 60_000;
    lab.outputs(client, Request::Ping);
    lab.machine.advance(lab.now);
    assert_eq!([lab.is_there(client, "/plain"), lab.is_there(client, "/container")], [true, false]);
}
