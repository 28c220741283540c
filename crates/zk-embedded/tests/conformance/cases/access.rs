//! ACLs: permissions by operation, auth, digest users, addresses.

use zk_wire::{Acl, OpCode, Request};

use super::{Case, EPHEMERAL, case};
use crate::common::request::{
    acl, auth, bare, check, create, create_acl, delete, multi, multi_read, of_kind, of_path, open, read,
    set_acl, set_data,
};

/// The digest of `joe:secret` as ZooKeeper stores it.
const JOE: &str = "joe:UMqAzymhTV1uI5shJgowq4uXlwU=";

fn on_guarded() -> Vec<Request> {
    vec![
        read(OpCode::Exists, "/x", true),
        read(OpCode::GetData, "/x", true),
        read(OpCode::GetChildren, "/x", true),
        read(OpCode::GetChildren2, "/x", false),
        of_path(OpCode::GetAcl, "/x"),
        of_path(OpCode::Sync, "/x"),
        of_path(OpCode::GetAllChildrenNumber, "/x"),
        of_path(OpCode::GetEphemerals, "/x"),
        of_kind(OpCode::AddWatch, "/x", 1),
        multi_read([read(OpCode::GetData, "/x", false), read(OpCode::GetChildren, "/x", false)]),
        multi([check("/x", -1)]),
        multi([create("/x/m", "", 0), delete("/x/m", -1)]),
        multi([set_data("/x", "m", -1)]),
        create("/x/new", "", 0),
        create("/x/eph", "", EPHEMERAL),
        create("/x/kid", "", 0),
        set_data("/x", "new", -1),
        set_data("/x", "new", 99),
        delete("/x/kid", -1),
        delete("/x/kid", 99),
        delete("/x/none", -1),
        set_acl("/x", open(), 99),
        set_acl("/x", open(), -1),
        delete("/x", -1),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = vec![];
    let lists: Vec<(&str, Vec<Acl>)> = vec![
        ("all but read", vec![acl(30, "world", "anyone")]),
        ("all but write", vec![acl(29, "world", "anyone")]),
        ("all but create", vec![acl(27, "world", "anyone")]),
        ("all but delete", vec![acl(23, "world", "anyone")]),
        ("all but admin", vec![acl(15, "world", "anyone")]),
        ("read only", vec![acl(1, "world", "anyone")]),
        ("nothing", vec![acl(0, "world", "anyone")]),
        ("everything, for another user", vec![acl(31, "digest", "ann:zzz")]),
        ("everything, for joe", vec![acl(31, "digest", JOE)]),
        ("read for all, the rest for joe", vec![acl(1, "world", "anyone"), acl(30, "digest", JOE)]),
        ("everything, for our address", vec![acl(31, "ip", "127.0.0.1")]),
        ("everything, for our network", vec![acl(31, "ip", "127.0.0.0/8")]),
        ("everything, for part of our network", vec![acl(31, "ip", "127.0.0.0/31")]),
        ("everything, for another address", vec![acl(31, "ip", "127.0.0.2")]),
        ("everything, for all addresses", vec![acl(31, "ip", "0.0.0.0/0")]),
    ];
    for (name, list) in lists {
        let guarded = list.clone();
        all.push(case(format!("acl: {name}, nobody asks"), move |t| {
            let a = t.open();
            guard(a, &guarded);
            on_guarded().into_iter().for_each(|request| drop(a.call(request)));
        }));
        all.push(case(format!("acl: {name}, joe asks"), move |t| {
            let a = t.open();
            guard(a, &list);
            a.auth("digest", "joe:secret");
            on_guarded().into_iter().for_each(|request| drop(a.call(request)));
        }));
    }
    all.extend(parents());
    all.extend(auths());
    all
}

/// Makes `/x` with a child, and then its ACL.
fn guard(a: crate::common::bench::Client<'_>, list: &[Acl]) {
    a.create("/x", "old", 0);
    a.create("/x/kid", "", 0);
    a.call(set_acl("/x", list.to_vec(), -1));
}

fn parents() -> Vec<Case> {
    vec![
        case("acl: it is the parent's that guards a delete", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.call(create_acl("/p/locked", vec![acl(0, "world", "anyone")]));
            a.get("/p/locked");
            a.delete("/p/locked");
            a.create("/p/x", "", 0);
            a.call(set_acl("/p", vec![acl(31 & !8, "world", "anyone")], -1));
            a.delete("/p/x");
        }),
        case("acl: is not inherited", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.create("/p/x", "", 0);
            a.call(set_acl("/p", vec![acl(0, "world", "anyone")], -1));
            a.get("/p/x");
            a.set("/p/x", "new");
            a.call(of_path(OpCode::GetAcl, "/p/x"));
            a.call(of_path(OpCode::GetAllChildrenNumber, "/p"));
            a.call(of_path(OpCode::GetAllChildrenNumber, "/"));
        }),
        case("acl: which error wins on create", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.create("/p/x", "", 0);
            a.call(set_acl("/p", vec![acl(1, "world", "anyone")], -1));
            a.create("/p/x", "", 0);
            a.create("/p/new/deep", "", 0);
            a.create("/p//bad", "", 0);
            a.call(create_acl("/p/y", vec![]));
            a.call(create_acl("/p/x", vec![acl(31, "nonsense", "")]));
            a.call(create_acl("/none/y", vec![acl(31, "nonsense", "")]));
            a.create("/p/x", "", 77);
        }),
        case("acl: which error wins on setACL", |t| {
            let a = t.open();
            a.call(create_acl("/x", vec![acl(15, "world", "anyone")]));
            a.call(set_acl("/x", vec![], 9));
            a.call(set_acl("/x", open(), 9));
            a.call(set_acl("/none", vec![], 9));
            a.call(set_acl("/none", open(), 9));
            a.create("/y", "", 0);
            a.call(set_acl("/y", vec![], 9));
            a.call(set_acl("/y", open(), 9));
        }),
        case("acl: ephemerals go with their session whatever it says", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/p", "", 0);
            a.create("/p/e", "", EPHEMERAL);
            a.call(set_acl("/p/e", vec![acl(0, "world", "anyone")], -1));
            a.call(set_acl("/p", vec![acl(1, "world", "anyone")], -1));
            a.close();
            b.children("/p");
        }),
        case("acl: set to joe's by joe", |t| {
            let (a, b) = (t.open(), t.open());
            a.auth("digest", "joe:secret");
            a.call(create_acl("/x", vec![acl(31, "auth", "")]));
            a.call(create_acl("/y", vec![acl(31, "auth", "ignored"), acl(1, "world", "anyone")]));
            for path in ["/x", "/y"] {
                a.get(path);
                b.get(path);
                a.call(of_path(OpCode::GetAcl, path));
                b.call(of_path(OpCode::GetAcl, path));
            }
            b.auth("digest", "joe:wrong");
            b.get("/x");
            b.auth("digest", "joe:secret");
            b.get("/x");
        }),
        case("acl: auth with two users is an entry for each", |t| {
            let a = t.open();
            a.auth("digest", "joe:secret");
            a.auth("digest", "ann:other");
            a.call(create_acl("/x", vec![acl(3, "auth", "")]));
            a.call(of_path(OpCode::GetAcl, "/x"));
            a.call(set_acl("/x", vec![acl(31, "auth", "")], -1));
        }),
        case("acl: getACL hides digests from who may only read", |t| {
            let (a, b) = (t.open(), t.open());
            a.auth("digest", "joe:secret");
            a.call(create_acl("/x", vec![acl(31, "digest", JOE), acl(1, "world", "anyone")]));
            a.call(of_path(OpCode::GetAcl, "/x"));
            b.call(of_path(OpCode::GetAcl, "/x"));
            a.call(create_acl("/y", vec![acl(16, "world", "anyone"), acl(31, "digest", JOE)]));
            b.call(of_path(OpCode::GetAcl, "/y"));
            a.call(create_acl("/z", vec![acl(15, "ip", "127.0.0.1"), acl(16, "digest", JOE)]));
            b.call(of_path(OpCode::GetAcl, "/z"));
        }),
        case("acl: watches fire on what may not be read", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", 0);
            b.get_watch("/x");
            b.exists_watch("/x");
            b.children_watch("/x");
            b.recursive("/x");
            a.auth("digest", "joe:secret");
            a.call(set_acl("/x", vec![acl(31, "digest", JOE)], -1));
            a.set("/x", "hidden");
            a.create("/x/kid", "", 0);
            b.get_watch("/x");
            b.exists_watch("/x");
            a.set("/x", "hidden");
        }),
        case("acl: multi is refused as a whole", |t| {
            let a = t.open();
            a.call(create_acl("/x", vec![acl(1, "world", "anyone")]));
            a.call(multi([create("/y", "", 0), set_data("/x", "", -1), create("/z", "", 0)]));
            a.call(multi([create("/y", "", 0), create("/x/k", "", 0)]));
            a.call(multi([check("/x", -1), create("/y", "", 0)]));
            a.children("/");
        }),
    ]
}

fn auths() -> Vec<Case> {
    let good: Vec<(&str, Request)> = vec![
        ("digest", auth("digest", "joe:secret")),
        ("digest without colon", auth("digest", "joe")),
        ("digest of nothing", auth("digest", "")),
        ("digest of a colon", auth("digest", ":")),
        ("digest with two colons", auth("digest", "joe:a:b")),
        ("digest, null", Request::Auth { kind: 0, scheme: "digest".into(), data: None }),
        (
            "another type",
            Request::Auth { kind: 7, scheme: "digest".into(), data: Some(b"joe:secret".to_vec()) },
        ),
        ("ip", auth("ip", "10.0.0.1")),
        ("ip of nothing", auth("ip", "")),
        ("world", auth("world", "anyone")),
        ("auth", auth("auth", "")),
        ("super", auth("super", "x")),
        ("sasl", auth("sasl", "x")),
        ("x509", auth("x509", "x")),
        ("unknown scheme", auth("nonsense", "x")),
        ("no scheme", auth("", "")),
        ("upper case", auth("DIGEST", "joe:secret")),
        ("wrong super user", auth("digest", "super:wrong")),
    ];
    let mut all: Vec<Case> = good
        .into_iter()
        .map(|(name, request)| {
            case(format!("auth: {name}"), move |t| {
                let (a, b) = (t.open(), t.open());
                a.create("/e", "", EPHEMERAL);
                a.call(request.clone());
                a.call(bare(OpCode::WhoAmI));
                a.call(create_acl("/x", vec![acl(31, "auth", "")]));
                a.call(of_path(OpCode::GetAcl, "/x"));
                b.exists("/e");
            })
        })
        .collect();
    all.push(case("auth: requests sent behind a refused one", |t| {
        let (a, b) = (t.open(), t.open());
        // Not behind a write: Apache answers an auth as soon as it is read.
        a.post(auth("nonsense", "x"));
        a.post(create("/behind", "", 0));
        a.collect();
        b.children("/");
        if a.is_open() {
            a.create("/after", "", 0);
        }
        let c = a.reattach(0);
        c.create("/again", "", 0);
    }));
    for op in [OpCode::Create2, OpCode::CreateContainer, OpCode::CreateTtl] {
        all.push(case(format!("acl: {} without permission", op), move |t| {
            let a = t.open();
            a.call(create_acl("/x", vec![acl(1, "world", "anyone")]));
            let flags = if op == OpCode::CreateTtl { 5 } else { 0 };
            a.call(crate::common::request::create_by(op, "/x/y", "", flags));
        }));
    }
    all
}
