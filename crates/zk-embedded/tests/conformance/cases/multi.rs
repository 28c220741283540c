//! multi and multiRead.

use zk_wire::{CreateKind, OpCode, Request, Writer};

use super::{Case, EPHEMERAL, SEQUENTIAL, case};
use crate::common::request::{
    acl, bare, check, create, create_acl, create_by, delete, multi, multi_read, of_path, open, raw, read,
    set_acl, set_data,
};

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    all.extend(single());
    all.extend(failures());
    all.extend(mixed());
    all.extend(reads());
    all.extend(unusual());
    all
}

fn good() -> Vec<(&'static str, Request)> {
    vec![
        ("create", create("/new", "data", 0)),
        ("create2", create_by(OpCode::Create2, "/new", "data", 0)),
        ("create of an ephemeral", create("/new", "data", EPHEMERAL)),
        ("create of a sequential", create("/new", "data", SEQUENTIAL)),
        ("createContainer", create_by(OpCode::CreateContainer, "/new", "data", 4)),
        ("createTTL", create_by(OpCode::CreateTtl, "/new", "data", 5)),
        ("delete", delete("/a", 0)),
        ("setData", set_data("/a", "data", 0)),
        ("check", check("/a", 0)),
    ]
}

fn bad() -> Vec<(&'static str, Request)> {
    vec![
        ("create of what exists", create("/a", "", 0)),
        ("create2 of what exists", create_by(OpCode::Create2, "/a", "", 0)),
        ("create without parent", create("/none/x", "", 0)),
        ("create of a bad path", create("/none//x", "", 0)),
        ("create with bad flags", create("/new", "", 99)),
        ("create with bad ACL", create_acl("/new", vec![])),
        ("create below an ephemeral", create("/e/x", "", 0)),
        ("delete of nothing", delete("/none", -1)),
        ("delete of another version", delete("/a", 7)),
        ("delete of a parent", delete("/p", -1)),
        ("setData of nothing", set_data("/none", "", -1)),
        ("setData of another version", set_data("/a", "", 7)),
        ("check of nothing", check("/none", -1)),
        ("check of another version", check("/a", 7)),
        ("setData of what may not be written", set_data("/locked", "", -1)),
    ]
}

fn prepare(a: crate::common::bench::Client<'_>) {
    a.create("/a", "old", 0);
    a.create("/p", "", 0);
    a.create("/p/kid", "", 0);
    a.create("/e", "", EPHEMERAL);
    a.call(create_acl("/locked", vec![acl(1, "world", "anyone")]));
}

fn single() -> Vec<Case> {
    let run = |(name, request): (&str, Request)| {
        case(format!("multi: one {name}"), move |t| {
            let a = t.open();
            prepare(a);
            a.call(multi([request.clone()]));
            a.children("/");
            a.get("/a");
            a.exists("/new");
        })
    };
    good().into_iter().map(run).collect()
}

fn failures() -> Vec<Case> {
    let mut all = Vec::new();
    for (name, request) in bad() {
        for (place, index) in [("first", 0), ("in the middle", 1), ("last", 3)] {
            let request = request.clone();
            all.push(case(format!("multi: {name} {place}"), move |t| {
                let (a, b) = (t.open(), t.open());
                prepare(a);
                for path in ["/", "/a"] {
                    b.children_watch(path);
                    b.get_watch(path);
                }
                let mut list = vec![set_data("/a", "1", 0), create("/fresh", "", 0), check("/a", 1)];
                list.insert(index, request.clone());
                a.call(multi(list));
                a.children("/");
                a.get("/a");
            }));
        }
    }
    all
}

fn mixed() -> Vec<Case> {
    vec![
        case("multi: empty", |t| {
            let a = t.open();
            a.call(multi([]));
            a.exists("/");
        }),
        case("multi: one of each", |t| {
            let a = t.open();
            prepare(a);
            a.call(multi([
                create("/n1", "1", 0),
                create_by(OpCode::Create2, "/n2", "22", 0),
                check("/n1", 0),
                set_data("/n1", "set", 0),
                check("/n1", 1),
                delete("/a", 0),
                create("/a", "again", EPHEMERAL),
                create_by(OpCode::Create2, "/n2/s", "", SEQUENTIAL),
            ]));
            for path in ["/", "/n1", "/n2", "/a"] {
                a.children(path);
                a.get(path);
            }
        }),
        case("multi: nested names made and deleted", |t| {
            let (a, b) = (t.open(), t.open());
            b.recursive("/");
            a.call(multi([
                create("/x", "", 0),
                create("/x/y", "", 0),
                create("/x/y/z", "", 0),
                delete("/x/y/z", 0),
                delete("/x/y", 0),
                delete("/x", 0),
            ]));
            a.exists("/");
        }),
        case("multi: a parent that is no longer empty", |t| {
            let a = t.open();
            a.call(multi([create("/x", "", 0), create("/x/y", "", 0), delete("/x", -1)]));
            a.children("/");
        }),
        case("multi: the same path created twice", |t| {
            let a = t.open();
            a.call(multi([create("/x", "", 0), create("/x", "", 0)]));
            a.call(multi([create("/x", "", 0), delete("/x", -1), create("/x", "2", 0)]));
            a.get("/x");
        }),
        case("multi: an ephemeral deleted and made by another session", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "a", EPHEMERAL);
            b.call(multi([delete("/x", 0), create("/x", "b", EPHEMERAL)]));
            a.get("/x");
            a.close();
            b.get("/x");
            b.close();
            t.open().get("/x");
        }),
        case("multi: below an ephemeral made in it", |t| {
            let a = t.open();
            a.call(multi([create("/e", "", EPHEMERAL), create("/e/x", "", 0)]));
            a.exists("/e");
            a.create("/e", "", 0);
        }),
        case("multi: versions count in it", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            a.call(multi([
                set_data("/x", "1", 0),
                set_data("/x", "2", 1),
                check("/x", 2),
                set_data("/x", "3", 2),
            ]));
            a.call(multi([set_data("/x", "4", 3), set_data("/x", "5", 3)]));
            a.get("/x");
            a.call(set_data("/x", "6", 3));
        }),
        case("multi: data of any kind", |t| {
            let a = t.open();
            let null = Request::Create {
                kind: CreateKind::Create,
                path: "/null".into(),
                data: None,
                acl: Some(open()),
                flags: 0,
                ttl: 0,
            };
            let large = create("/large", &"x".repeat(100_000), 0);
            a.call(multi([null, large, create("/empty", "", 0)]));
            for path in ["/null", "/large", "/empty"] {
                a.get(path);
            }
        }),
        case("multi: its writes share a zxid", |t| {
            let a = t.open();
            a.call(multi([create("/x", "", 0), create("/x/y", "", 0), create("/z", "", 0)]));
            for path in ["/x", "/x/y", "/z", "/"] {
                a.exists(path);
            }
            a.create("/after", "", 0);
        }),
        case("multi: a failure in the middle of many", |t| {
            let a = t.open();
            let mut list: Vec<Request> =
                (0..20).map(|number| create(&format!("/n{number}"), "", 0)).collect();
            list.insert(10, delete("/none", -1));
            a.call(multi(list));
            a.children("/");
        }),
        case("multi: two failures", |t| {
            let a = t.open();
            a.call(multi([
                create("/x", "", 0),
                delete("/none", -1),
                set_data("/none", "", -1),
                check("/no", 1),
            ]));
            a.exists("/x");
        }),
        case("multi: only checks", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            a.call(multi([check("/x", 0), check("/x", -1), check("/", -1)]));
            a.create("/y", "", 0);
        }),
        case("multi: of a check that fails behind a write of the same", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            a.call(multi([set_data("/x", "1", 0), check("/x", 0)]));
            a.get("/x");
        }),
        case("multi: after a failed one the tree is as before", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.call(multi([create("/p/a", "", 0), create("/p/b", "", SEQUENTIAL), delete("/none", -1)]));
            a.create("/p/a", "", 0);
            a.create("/p/b", "", SEQUENTIAL);
            a.delete("/p/a");
            a.delete("/p");
            a.children("/p");
        }),
    ]
}

fn reads() -> Vec<Case> {
    vec![
        case("multiRead: of all it takes", |t| {
            let a = t.open();
            prepare(a);
            a.call(multi_read([
                read(OpCode::GetData, "/a", false),
                read(OpCode::GetChildren, "/", false),
                read(OpCode::GetChildren, "/p", false),
                read(OpCode::GetData, "/e", false),
            ]));
        }),
        case("multiRead: each has its own error", |t| {
            let a = t.open();
            prepare(a);
            a.call(create_acl("/dark", vec![acl(2, "world", "anyone")]));
            a.call(multi_read([
                read(OpCode::GetData, "/none", false),
                read(OpCode::GetData, "/a", false),
                read(OpCode::GetChildren, "/none", false),
                read(OpCode::GetData, "/dark", false),
                read(OpCode::GetChildren, "/dark", false),
                read(OpCode::GetChildren, "/p", false),
            ]));
        }),
        case("multiRead: empty", |t| {
            let a = t.open();
            a.call(multi_read([]));
            a.exists("/");
        }),
        case("multiRead: with watches", |t| {
            let (a, b) = (t.open(), t.open());
            prepare(a);
            b.call(multi_read([
                read(OpCode::GetData, "/a", true),
                read(OpCode::GetChildren, "/p", true),
                read(OpCode::GetData, "/none", true),
            ]));
            a.set("/a", "new");
            a.delete("/p/kid");
            a.create("/none", "", 0);
        }),
        case("multiRead: of a write", |t| {
            let a = t.open();
            a.call(multi_read([create("/x", "", 0)]));
            a.exists("/x");
        }),
        case("multiRead: of an exists", |t| {
            let a = t.open();
            a.call(multi_read([read(OpCode::Exists, "/", false)]));
            a.exists("/x");
        }),
        case("multiRead: of getChildren2", |t| {
            let a = t.open();
            a.call(multi_read([read(OpCode::GetChildren2, "/", false)]));
            a.exists("/x");
        }),
        case("multi: of a read", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            a.call(multi([read(OpCode::GetData, "/x", false)]));
            a.exists("/x");
        }),
        case("multi: of a read and a write", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            a.call(multi([create("/y", "", 0), read(OpCode::GetData, "/x", false)]));
            a.exists("/y");
        }),
    ]
}

/// Operations that belong in no multi, and broken ones.
fn unusual() -> Vec<Case> {
    let strange = [
        set_acl("/x", open(), -1),
        of_path(OpCode::Sync, "/x"),
        of_path(OpCode::GetAcl, "/x"),
        read(OpCode::Exists, "/x", false),
        bare(OpCode::Ping),
        bare(OpCode::CloseSession),
        bare(OpCode::WhoAmI),
        bare(OpCode::Other(777)),
        multi([create("/y", "", 0)]),
    ];
    let mut all: Vec<Case> = strange
        .into_iter()
        .map(|request| {
            case(format!("multi: of {}", request.op_code()), move |t| {
                let a = t.open();
                a.create("/x", "", 0);
                a.call(multi([create("/z", "", 0), request.clone()]));
                a.exists("/z");
            })
        })
        .collect();
    let broken = [
        ("nothing at all", Writer::new()),
        ("no end", Writer::new().int(OpCode::Delete.code()).bool(false).int(-1).string("/case").int(-1)),
        ("half a header", Writer::new().int(OpCode::Delete.code()).bool(false)),
        ("half an operation", Writer::new().int(OpCode::Delete.code()).bool(false).int(-1).int(100)),
        ("an end with an op", Writer::new().int(OpCode::Delete.code()).bool(true).int(-1)),
        ("bytes behind the end", Writer::new().int(-1).bool(true).int(-1).raw(b"more")),
    ];
    for (name, body) in broken {
        all.push(case(format!("multi: with {name} in it"), move |t| {
            let a = t.open();
            a.call(raw(OpCode::Multi, body.clone()));
            a.exists("/");
        }));
    }
    all
}
