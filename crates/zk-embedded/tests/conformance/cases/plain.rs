//! The other single operations: delete, exists, getData, setData, children, sync, counts, whoAmI; and stats.

use zk_wire::{OpCode, Request};

use super::creating::UNUSUAL_PATHS;
use super::{Case, EPHEMERAL, SEQUENTIAL, case};
use crate::common::request::{
    Sent, acl, auth, bare, check, create, create_by, delete, multi, of_kind, of_path, open, read, set_acl,
    set_data, set_watches,
};

/// Every request on a path that has no watch flag, by name.
pub(super) fn on_path(path: &str) -> Vec<Request> {
    vec![
        read(OpCode::Exists, path, false),
        read(OpCode::GetData, path, false),
        read(OpCode::GetChildren, path, false),
        read(OpCode::GetChildren2, path, false),
        of_path(OpCode::GetAcl, path),
        of_path(OpCode::Sync, path),
        of_path(OpCode::GetEphemerals, path),
        of_path(OpCode::GetAllChildrenNumber, path),
        of_kind(OpCode::CheckWatches, path, 3),
        of_kind(OpCode::RemoveWatches, path, 3),
        of_kind(OpCode::AddWatch, path, 0),
        set_data(path, "new", -1),
        set_acl(path, open(), -1),
        multi([check(path, -1)]),
        multi([set_data(path, "new", -1)]),
        multi([delete(path, -1)]),
        delete(path, -1),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for index in 0..on_path("/").len() {
        let name = Sent::from(on_path("/")[index].clone()).to_string();
        let name = name.replace("\"/\"", "");
        let one = move |path: &str| on_path(path).swap_remove(index);
        all.push(case(format!("plain: {name} of a missing node"), move |t| {
            let a = t.open();
            a.call(one("/x"));
            a.call(one("/x/y"));
            a.children("/");
        }));
        all.push(case(format!("plain: {name} of a present node"), move |t| {
            let a = t.open();
            a.create("/x", "old", 0);
            a.call(one("/x"));
            a.get("/x");
            a.children("/");
        }));
        all.push(case(format!("plain: {name} of a parent"), move |t| {
            let a = t.open();
            for path in ["/x", "/x/a", "/x/b", "/x/b/c"] {
                a.create(path, "old", 0);
            }
            a.create("/x/e", "old", EPHEMERAL);
            a.call(one("/x"));
            a.children("/x");
        }));
        all.push(case(format!("plain: {name} of another's ephemeral"), move |t| {
            let (a, b) = (t.open(), t.open());
            b.create("/x", "old", EPHEMERAL);
            a.call(one("/x"));
            b.call(one("/x"));
            a.children("/");
        }));
        all.push(case(format!("plain: {name} of unusual paths"), move |t| {
            let mut a = t.open();
            for &path in UNUSUAL_PATHS {
                // The root itself is another case's.
                if path != "!/" {
                    a.call(one(path));
                }
                if !a.is_open() {
                    a = t.open();
                }
            }
        }));
    }
    all.extend(versions());
    all.extend(stats());
    all.extend(lists());
    all.extend(others());
    all
}

fn versions() -> Vec<Case> {
    vec![
        case("version: setData", |t| {
            let a = t.open();
            a.create("/x", "0", 0);
            for version in [1, -2, i32::MIN, i32::MAX, 0, 0, 1, -1, 2, 3, 4] {
                a.call(set_data("/x", "new", version));
            }
            a.get("/x");
        }),
        case("version: setACL", |t| {
            let a = t.open();
            a.create("/x", "0", 0);
            for version in [1, -2, i32::MIN, 0, 0, 1, -1, 3] {
                a.call(set_acl("/x", open(), version));
            }
            a.call(of_path(OpCode::GetAcl, "/x"));
        }),
        case("version: delete", |t| {
            let a = t.open();
            a.create("/x", "0", 0);
            a.set("/x", "1");
            for version in [0, 2, -2, i32::MIN, 1, 1] {
                a.call(delete("/x", version));
            }
        }),
        case("version: check", |t| {
            let a = t.open();
            a.create("/x", "0", 0);
            a.set("/x", "1");
            for version in [0, 2, -2, i32::MIN, 1, -1] {
                a.call(multi([check("/x", version)]));
            }
            a.exists("/");
        }),
        case("version: of data, children and ACL are three", |t| {
            let a = t.open();
            a.create("/x", "0", 0);
            a.create("/x/y", "", 0);
            a.call(set_acl("/x", open(), -1));
            a.call(set_acl("/x", open(), -1));
            a.call(set_data("/x", "1", 0));
            a.exists("/x");
        }),
        case("version: begins again after delete and create", |t| {
            let a = t.open();
            a.create("/x", "0", 0);
            a.set("/x", "1");
            a.call(set_acl("/x", open(), -1));
            a.delete("/x");
            a.create("/x", "2", 0);
            a.exists("/x");
            a.call(set_data("/x", "3", 1));
        }),
        case("check: outside a multi", |t| {
            let a = t.open();
            a.create("/x", "0", 0);
            a.call_in_vain(2, check("/x", 0));
            a.call_in_vain(3, check("/x", -1));
            a.exists("/x");
        }),
        case("check: outside a multi, of a missing node", |t| {
            let a = t.open();
            a.call(check("/x", 0));
            a.exists("/x");
        }),
        case("check: outside a multi, with a wrong version", |t| {
            let a = t.open();
            a.create("/x", "0", 0);
            a.call(check("/x", 7));
            a.exists("/x");
        }),
    ]
}

fn stats() -> Vec<Case> {
    let changes: Vec<(&str, Request)> = vec![
        ("setData", set_data("/x", "longer data", -1)),
        ("setData to the same", set_data("/x", "old", -1)),
        ("setACL", set_acl("/x", vec![acl(31, "ip", "127.0.0.1")], -1)),
        ("create of a child", create("/x/new", "", 0)),
        ("create of an ephemeral child", create("/x/new", "", EPHEMERAL)),
        ("create of a sequential child", create("/x/new", "", SEQUENTIAL)),
        ("create of a container", create_by(OpCode::CreateContainer, "/x/new", "", 4)),
        ("delete of a child", delete("/x/a", -1)),
        ("setData of a child", set_data("/x/a", "data", -1)),
        ("setACL of a child", set_acl("/x/a", open(), -1)),
        ("create of a grandchild", create("/x/a/b", "", 0)),
        ("a failed setData", set_data("/x", "", 9)),
        ("a failed create", create("/x/a", "", 0)),
        ("a failed delete", delete("/x", -1)),
        ("a multi of all", multi([set_data("/x", "m", -1), create("/x/new", "", 0), delete("/x/a", -1)])),
        ("a failed multi", multi([set_data("/x", "m", -1), create("/x/a", "", 0)])),
        ("sync", of_path(OpCode::Sync, "/x")),
    ];
    let run = |(name, change): (&str, Request)| {
        case(format!("stat: after {name}"), move |t| {
            let a = t.open();
            a.create("/x", "old", 0);
            a.create("/x/a", "", 0);
            a.call(change.clone());
            for path in ["/", "/x", "/x/a", "/x/new"] {
                a.exists(path);
            }
            a.get("/x");
            a.children("/x");
            a.call(of_path(OpCode::GetAcl, "/x"));
        })
    };
    changes.into_iter().map(run).collect()
}

fn lists() -> Vec<Case> {
    vec![
        case("lists: getEphemerals", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/p", "", 0);
            a.create("/pq", "", EPHEMERAL);
            for name in ["/p/a", "/p/b", "/c"] {
                a.create(name, "", EPHEMERAL);
            }
            b.create("/p/z", "", EPHEMERAL);
            for prefix in ["/", "/p", "/p/", "/p/a", "/nothing", "!", "!/", "!zzz"] {
                a.call(of_path(OpCode::GetEphemerals, prefix));
            }
            b.call(of_path(OpCode::GetEphemerals, "/"));
            b.delete("/p/a");
            a.call(of_path(OpCode::GetEphemerals, "/p"));
        }),
        case("lists: getAllChildrenNumber", |t| {
            let a = t.open();
            for name in ["/p", "/p/a", "/p/a/b", "/p/a/b/c", "/pq"] {
                a.create(name, "", 0);
            }
            for path in ["/", "/p", "/p/a", "/p/a/b/c", "/pq", "/none", "!"] {
                a.call(of_path(OpCode::GetAllChildrenNumber, path));
            }
        }),
        case("lists: a thousand children", |t| {
            let a = t.open();
            a.create("/p", "", 0);
            for number in 0..1000 {
                a.post(create(&format!("/p/node-with-a-longer-name-{number}"), "", 0));
            }
            a.collect();
            a.children("/p");
            a.call(of_path(OpCode::GetAllChildrenNumber, "/p"));
        }),
        case("lists: getChildren tells no stat", |t| {
            let a = t.open();
            for name in ["/p", "/p/b", "/p/a", "/p/B", "/p/\u{e9}"] {
                a.create(name, "", 0);
            }
            a.call(read(OpCode::GetChildren, "/p", false));
            a.call(read(OpCode::GetChildren2, "/p", false));
        }),
    ]
}

fn others() -> Vec<Case> {
    vec![
        case("sync: gives the path back", |t| {
            let (a, b) = (t.open(), t.open());
            a.call(of_path(OpCode::Sync, "/"));
            b.create("/x", "", 0);
            a.call(of_path(OpCode::Sync, "/x"));
            a.call(of_path(OpCode::Sync, "!/"));
            a.call(of_path(OpCode::Sync, "/missing"));
            a.exists("/x");
        }),
        case("whoAmI: without auth", |t| {
            t.open().call(bare(OpCode::WhoAmI));
        }),
        case("whoAmI: with digests", |t| {
            let a = t.open();
            a.auth("digest", "joe:secret");
            a.call(bare(OpCode::WhoAmI));
            a.auth("digest", "ann:other");
            a.auth("digest", "joe:secret");
            a.call(bare(OpCode::WhoAmI));
        }),
        case("whoAmI: after a reconnect", |t| {
            let a = t.open();
            a.auth("digest", "joe:secret");
            a.cut();
            a.reattach(0).call(bare(OpCode::WhoAmI));
        }),
        case("ping: between requests", |t| {
            let a = t.open();
            a.call(bare(OpCode::Ping));
            a.create("/x", "", 0);
            a.call(bare(OpCode::Ping));
        }),
        case("pipeline: replies come in the order of the requests", |t| {
            let a = t.open();
            for number in 0..40 {
                a.post(create(&format!("/n{number}"), "", 0));
                a.post(read(OpCode::GetData, &format!("/n{number}"), number % 2 == 0));
                a.post(set_data(&format!("/n{number}"), "new", number % 3));
                a.post(of_path(OpCode::Sync, "/"));
                a.post(bare(OpCode::Ping));
            }
            a.collect();
        }),
        case("xid: any number is returned", |t| {
            let a = t.open();
            for xid in [0, 1, 1, i32::MAX, i32::MIN, -5, -100] {
                a.post_as(xid, read(OpCode::Exists, "/", false));
                a.collect();
                a.post_as(xid, create("/x", "", SEQUENTIAL));
                a.collect();
            }
        }),
        case("xid: of the reserved ones for an ordinary request", |t| {
            let a = t.open();
            for xid in [-2, -4, -8] {
                a.post_as(xid, read(OpCode::Exists, "/", false));
                a.collect();
            }
        }),
        case("xid: ordinary ones for ping, auth and setWatches", |t| {
            let a = t.open();
            a.post_as(6, auth("digest", "a:b"));
            a.collect();
            a.post_as(7, set_watches(0, &[&["/x"], &[], &[]]));
            a.collect();
            a.call_in_vain(5, bare(OpCode::Ping));
        }),
        case("delete: the case's root with children", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            a.delete("/");
            a.delete("/x");
            a.delete("/");
            a.exists("/");
            a.create("/x", "", 0);
        }),
    ]
}
