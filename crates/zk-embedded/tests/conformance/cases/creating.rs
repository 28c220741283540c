//! create, create2, createContainer, createTTL.

use zk_wire::{Acl, CreateKind, OpCode, Request, Writer};

use super::{Case, EPHEMERAL, EPHEMERAL_SEQUENTIAL, SEQUENTIAL, case};
use crate::common::request::{acl, create, create_by, delete, multi, open, raw, set_data, write_acl};

/// Paths below the case's root that may be wrong, and whole ones with a `!`.
pub(super) const UNUSUAL_PATHS: &[&str] = &[
    "!",
    "!noslash",
    "!//",
    "!/",
    "/x/",
    "/x//y",
    "//x",
    "/x/.",
    "/x/..",
    "/./x",
    "/../x",
    "/x/./y",
    "/x/../y",
    "/...",
    "/.x",
    "/x.",
    "/x y",
    "/\u{0}",
    "/\u{1}",
    "/\t",
    "/\u{1f}",
    "/\u{7f}",
    "/\u{9f}",
    "/\u{a0}",
    "/\u{e9}",
    "/\u{d7ff}",
    "/\u{e000}",
    "/\u{f8ff}",
    "/\u{f900}",
    "/\u{fff0}",
    "/\u{ffff}",
    "/\u{1f600}",
    "/x/\u{0}/y",
];

const CREATES: [OpCode; 4] = [OpCode::Create, OpCode::Create2, OpCode::CreateContainer, OpCode::CreateTtl];

fn with(data: Option<&[u8]>, acl: Option<Vec<Acl>>) -> Request {
    let data = data.map(<[u8]>::to_vec);
    Request::Create { kind: CreateKind::Create2, path: "/x".into(), data, acl, flags: 0, ttl: 0 }
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = kinds();
    all.extend(paths());
    all.extend(acls());
    all.extend(data());
    all.extend(places());
    all.extend(sequences());
    all
}

fn kinds() -> Vec<Case> {
    let mut all = Vec::new();
    for op in CREATES {
        for flags in [0, 1, 2, 3, 4, 5, 6, 7, -1, 100] {
            all.push(case(format!("create: {} with flags {flags}", op), move |t| {
                let a = t.open();
                let made = a.call(create_by(op, "/x", "data", flags));
                a.children("/");
                if made.err == Some(0) {
                    let path = format!("!{}", made.path());
                    a.get(&path);
                    a.call(create_by(op, "/x", "again", flags));
                    a.create(&format!("{path}/child"), "", 0);
                    a.delete(&path);
                }
            }));
        }
    }
    for ttl in [0, -1, 1, i64::MIN, i64::MAX, 0x00ff_ffff_ffff, 0x0100_0000_0000] {
        all.push(case(format!("create: ttl of {ttl}"), move |t| {
            let a = t.open();
            // A createTTL of a negative time whose flags are no TTL takes Apache 3.8.0 down.
            let kinds = if ttl < 0 { &[5, 6][..] } else { &[5, 6, 0] };
            for &flags in kinds {
                a.call(Request::Create {
                    kind: CreateKind::Ttl,
                    path: format!("/x{flags}"),
                    data: Some(b"d".to_vec()),
                    acl: Some(open()),
                    flags,
                    ttl,
                });
            }
            a.exists("/x5");
        }));
    }
    all
}

fn paths() -> Vec<Case> {
    UNUSUAL_PATHS
        .iter()
        .map(|&path| {
            case(format!("create: path {path:?}"), move |t| {
                let a = t.open();
                a.create("/x", "", 0);
                a.create(path, "d", 0);
                a.children("/");
                a.create(path, "d", SEQUENTIAL);
                a.create(path, "d", EPHEMERAL);
                a.call(create_by(OpCode::Create2, path, "d", 0));
                a.call(multi([create(path, "d", 0), create("/y", "", 0)]));
                a.exists("/y");
            })
        })
        .collect()
}

fn acls() -> Vec<Case> {
    let lists: Vec<(&str, Option<Vec<Acl>>)> = vec![
        ("null", None),
        ("empty", Some(vec![])),
        ("world:anyone", Some(open())),
        ("world:someone", Some(vec![acl(31, "world", "someone")])),
        ("world with no id", Some(vec![acl(31, "world", "")])),
        ("unknown scheme", Some(vec![acl(31, "nonsense", "x")])),
        ("no scheme", Some(vec![acl(31, "", "")])),
        ("auth without auth", Some(vec![acl(31, "auth", "")])),
        ("digest", Some(vec![acl(31, "digest", "joe:kvZSeIPmvB8wExtwWlMm1Yt3aSg=")])),
        ("digest without colon", Some(vec![acl(31, "digest", "joe")])),
        ("digest with two colons", Some(vec![acl(31, "digest", "a:b:c")])),
        ("digest with nothing", Some(vec![acl(31, "digest", "")])),
        ("ip", Some(vec![acl(31, "ip", "127.0.0.1")])),
        ("ip with bits", Some(vec![acl(31, "ip", "127.0.0.0/8")])),
        ("ip with 0 bits", Some(vec![acl(31, "ip", "10.0.0.0/0")])),
        ("ip with 33 bits", Some(vec![acl(31, "ip", "10.0.0.0/33")])),
        ("ip with -1 bits", Some(vec![acl(31, "ip", "10.0.0.0/-1")])),
        ("ip with no bits after the slash", Some(vec![acl(31, "ip", "10.0.0.0/")])),
        ("ip of three numbers", Some(vec![acl(31, "ip", "10.0.0")])),
        ("ip of large numbers", Some(vec![acl(31, "ip", "300.0.0.1")])),
        ("ip of words", Some(vec![acl(31, "ip", "localhost")])),
        ("ip6", Some(vec![acl(31, "ip", "::1")])),
        ("x509", Some(vec![acl(31, "x509", "CN=x")])),
        ("sasl", Some(vec![acl(31, "sasl", "joe")])),
        ("super", Some(vec![acl(31, "super", "")])),
        ("no permissions", Some(vec![acl(0, "world", "anyone")])),
        ("too many permissions", Some(vec![acl(63, "world", "anyone")])),
        ("negative permissions", Some(vec![acl(-1, "world", "anyone")])),
        ("one entry twice", Some(vec![acl(31, "world", "anyone"), acl(31, "world", "anyone")])),
        ("one user twice", Some(vec![acl(16, "world", "anyone"), acl(15, "world", "anyone")])),
        ("good and bad", Some(vec![acl(31, "world", "anyone"), acl(31, "nonsense", "x")])),
        ("good and auth without auth", Some(vec![acl(31, "world", "anyone"), acl(31, "auth", "")])),
    ];
    lists
        .into_iter()
        .map(|(name, list)| {
            case(format!("create: acl {name}"), move |t| {
                let a = t.open();
                let read_acl = || Request::GetAcl { path: "/x".into() };
                a.call(with(Some(b"d"), list.clone()));
                a.call(read_acl());
                a.get("/x");
                // The same by setACL, and with a user known.
                a.create("/y", "", 0);
                a.call(Request::SetAcl { path: "/y".into(), acl: list.clone(), version: -1 });
                a.call(Request::GetAcl { path: "/y".into() });
                a.auth("digest", "joe:secret");
                a.delete("/x");
                a.call(with(Some(b"d"), list.clone()));
                a.call(read_acl());
            })
        })
        .collect()
}

fn data() -> Vec<Case> {
    vec![
        case("create: null data", |t| {
            let a = t.open();
            a.call(with(None, Some(open())));
            a.get("/x");
            a.set("/x", "");
            a.call(Request::SetData { path: "/x".into(), data: None, version: -1 });
            a.get("/x");
        }),
        case("create: empty data", |t| {
            let a = t.open();
            a.call(with(Some(b""), Some(open())));
            a.get("/x");
        }),
        case("create: bytes of any value", |t| {
            let a = t.open();
            a.call(with(Some(&(0..=255).collect::<Vec<u8>>()), Some(open())));
            a.get("/x");
        }),
        case("create: 100 KiB", |t| {
            let a = t.open();
            a.create("/x", &"z".repeat(102_400), 0);
            a.get("/x");
            a.set("/x", &"y".repeat(102_400));
            a.get("/x");
        }),
        case("create: null path", |t| {
            let a = t.open();
            let body = Writer::new().int(-1).string("d").vector(Some(&open()), write_acl).int(0);
            a.call(raw(OpCode::Create, body));
            a.exists("/");
        }),
    ]
}

fn places() -> Vec<Case> {
    let mut all = Vec::new();
    for op in CREATES {
        let name = op;
        let flags = [0, 0, 4, 5][CREATES.iter().position(|&other| other == op).expect("one of them")];
        all.push(case(format!("create: {name} where the parent is missing"), move |t| {
            let a = t.open();
            a.call(create_by(op, "/x/y", "", flags));
            a.call(create_by(op, "/x/y/z", "", flags));
            a.exists("/");
        }));
        all.push(case(format!("create: {name} below an ephemeral"), move |t| {
            let a = t.open();
            a.create("/x", "", EPHEMERAL);
            a.call(create_by(op, "/x/y", "", flags));
            a.children("/x");
        }));
        all.push(case(format!("create: {name} of what exists"), move |t| {
            let a = t.open();
            a.create("/x", "old", 0);
            a.call(create_by(op, "/x", "new", flags));
            a.get("/x");
            a.exists("/");
        }));
    }
    all.push(case("create: ephemeral by another session", |t| {
        let (a, b) = (t.open(), t.open());
        a.create("/x", "", EPHEMERAL);
        b.create("/x", "", EPHEMERAL);
        b.create("/y", "", EPHEMERAL);
        a.get("/y");
        b.delete("/x");
        b.create("/x", "", EPHEMERAL);
        a.get("/x");
        a.close();
        b.get("/x");
    }));
    all.push(case("create: below every kind of parent", |t| {
        let a = t.open();
        for (op, flags) in [
            (OpCode::Create, 0),
            (OpCode::Create, SEQUENTIAL),
            (OpCode::CreateContainer, 4),
            (OpCode::CreateTtl, 5),
        ] {
            let path = a.call(create_by(op, "/x", "", flags)).path();
            a.create(&format!("!{path}/y"), "", 0);
            a.exists(&format!("!{path}"));
            a.delete(&format!("!{path}"));
            a.delete(&format!("!{path}/y"));
            a.delete(&format!("!{path}"));
        }
    }));
    all.push(case("create: very deep", |t| {
        let a = t.open();
        let mut path = String::new();
        for _ in 0..60 {
            path += "/d";
            a.post(create(&path, "", 0));
        }
        a.collect();
        a.exists(&path);
    }));
    all
}

fn sequences() -> Vec<Case> {
    vec![
        case("sequence: counts creates", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            for flags in [SEQUENTIAL, EPHEMERAL_SEQUENTIAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL] {
                a.create("/p/n-", "", flags);
            }
            a.create("/p/other", "", SEQUENTIAL);
            a.create("/p/", "", SEQUENTIAL);
            a.children("/p");
        }),
        case("sequence: goes on after deletes", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            let first = a.create("/p/n", "", SEQUENTIAL).path();
            a.delete(&format!("!{first}"));
            a.create("/p/n", "", SEQUENTIAL);
            a.create("/p/plain", "", 0);
            a.delete("/p/plain");
            a.create("/p/n", "", SEQUENTIAL);
            a.exists("/p");
        }),
        case("sequence: counts plain creates, too", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.create("/p/a", "", 0);
            a.create("/p/b", "", 0);
            a.create("/p/n", "", SEQUENTIAL);
            a.exists("/p");
        }),
        case("sequence: failed creates count nothing", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.create("/p/a", "", 0);
            a.create("/p/a", "", 0);
            a.create("/p/a/b/c", "", SEQUENTIAL);
            a.create("/p/n", "", SEQUENTIAL);
        }),
        case("sequence: ephemerals that went with their session", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/p", "", 0);
            b.create("/p/n", "", EPHEMERAL_SEQUENTIAL);
            b.create("/p/n", "", EPHEMERAL_SEQUENTIAL);
            b.close();
            a.exists("/p");
            a.create("/p/n", "", EPHEMERAL_SEQUENTIAL);
        }),
        case("sequence: starts anew with a new parent", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.create("/p/n", "", EPHEMERAL_SEQUENTIAL);
            a.delete("/p/n0000000000");
            a.delete("/p");
            a.create("/p", "", 0);
            a.create("/p/n", "", SEQUENTIAL);
        }),
        case("sequence: a name taken before", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.create("/p/n0000000001", "", 0);
            a.create("/p/n", "", SEQUENTIAL);
            a.create("/p/n", "", SEQUENTIAL);
        }),
        case("sequence: in a multi", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.call(multi([
                create("/p/n", "", SEQUENTIAL),
                create("/p/n", "", SEQUENTIAL),
                create("/p/e", "", EPHEMERAL_SEQUENTIAL),
                create("/p/plain", "", 0),
                delete("/p/plain", -1),
                create("/p/n", "", SEQUENTIAL),
            ]));
            a.children("/p");
            a.create("/p/n", "", SEQUENTIAL);
        }),
        case("sequence: a failed multi counts nothing", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.call(multi([create("/p/n", "", SEQUENTIAL), set_data("/nowhere", "", -1)]));
            a.children("/p");
            a.create("/p/n", "", SEQUENTIAL);
        }),
        case("sequence: a parent that is a slash away", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            a.create("/p/q/", "", SEQUENTIAL);
            a.create("/p/", "", EPHEMERAL_SEQUENTIAL);
            a.create("/p/", "", EPHEMERAL_SEQUENTIAL);
            a.children("/p");
        }),
    ]
}
