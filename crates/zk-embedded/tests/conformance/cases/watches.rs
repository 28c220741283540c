//! One-shot watches: each kind by each trigger, and the order of the events.

use zk_wire::{OpCode, Request};

use super::{Case, EPHEMERAL, EPHEMERAL_SEQUENTIAL, case};
use crate::common::bench::Client;
use crate::common::request::{
    bare, create, create_by, delete, multi, of_kind, of_path, open, read, set_acl, set_data,
};

/// Ways to watch `/x`, also where it is missing.
pub(super) fn kinds() -> Vec<(&'static str, Request)> {
    vec![
        ("exists", read(OpCode::Exists, "/x", true)),
        ("getData", read(OpCode::GetData, "/x", true)),
        ("getChildren", read(OpCode::GetChildren, "/x", true)),
        ("getChildren2", read(OpCode::GetChildren2, "/x", true)),
        ("persistent", of_kind(OpCode::AddWatch, "/x", 0)),
        ("recursive", of_kind(OpCode::AddWatch, "/x", 1)),
        ("persistent on the parent", of_kind(OpCode::AddWatch, "/", 0)),
        ("recursive on the parent", of_kind(OpCode::AddWatch, "/", 1)),
        ("getChildren on the parent", read(OpCode::GetChildren, "/", true)),
    ]
}

/// What may happen to `/x` where it is present with the child `/x/a`.
fn triggers() -> Vec<(&'static str, Vec<Request>)> {
    vec![
        ("setData", vec![set_data("/x", "new", -1)]),
        ("setData of the same", vec![set_data("/x", "old", -1)]),
        ("a failed setData", vec![set_data("/x", "new", 9)]),
        ("setACL", vec![set_acl("/x", open(), -1)]),
        ("create of a child", vec![create("/x/new", "", 0)]),
        ("create2 of a child", vec![create_by(OpCode::Create2, "/x/new", "", 0)]),
        ("create of an ephemeral child", vec![create("/x/new", "", EPHEMERAL)]),
        ("create of a container below", vec![create_by(OpCode::CreateContainer, "/x/new", "", 4)]),
        ("create of a grandchild", vec![create("/x/a/b", "", 0)]),
        ("setData of a child", vec![set_data("/x/a", "new", -1)]),
        ("delete of a child", vec![delete("/x/a", -1)]),
        ("delete", vec![delete("/x/a", -1), delete("/x", -1)]),
        (
            "delete and create",
            vec![delete("/x/a", -1), delete("/x", -1), create("/x", "", 0), set_data("/x", "", -1)],
        ),
        ("a failed delete", vec![delete("/x", -1)]),
        ("a multi", vec![multi([set_data("/x", "new", -1), delete("/x/a", -1), delete("/x", -1)])]),
        (
            "a multi of many",
            vec![multi([
                create("/x/b", "", 0),
                set_data("/x", "1", -1),
                set_data("/x", "2", -1),
                create("/x/c", "", 0),
            ])],
        ),
        ("a failed multi", vec![multi([set_data("/x", "new", -1), delete("/none", -1)])]),
        ("reads", vec![read(OpCode::GetData, "/x", false), of_path(OpCode::Sync, "/x")]),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (kind, watch) in kinds() {
        for (trigger, requests) in triggers() {
            let watch = watch.clone();
            all.push(case(format!("watch: {kind}, then {trigger}"), move |t| {
                let (a, b) = (t.open(), t.open());
                a.create("/x", "old", 0);
                a.create("/x/a", "", 0);
                // Both watch: the one that writes, and another.
                a.call(watch.clone());
                b.call(watch.clone());
                for request in &requests {
                    a.call(request.clone());
                }
                a.call(multi([set_data("/", "again", -1)]));
                again(a);
            }));
        }
        let watch_missing = watch.clone();
        all.push(case(format!("watch: {kind} where it is missing, then its life"), move |t| {
            let (a, b) = (t.open(), t.open());
            a.call(watch_missing.clone());
            b.call(watch_missing.clone());
            a.create("/x", "", 0);
            a.set("/x", "new");
            a.create("/x/a", "", 0);
            a.delete("/x/a");
            a.delete("/x");
            a.create("/x", "", 0);
        }));
        let watch_session = watch.clone();
        all.push(case(format!("watch: {kind}, then the owner's session ends"), move |t| {
            let (a, b, c) = (t.open(), t.open(), t.open());
            a.create("/x", "", EPHEMERAL);
            b.call(watch_session.clone());
            c.call(watch_session.clone());
            a.close();
            b.exists("/x");
        }));
        all.push(case(format!("watch: {kind}, then the owner's session expires"), move |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", EPHEMERAL);
            b.call(watch.clone());
            a.expire();
            b.exists("/x");
        }));
    }
    all.extend(combined());
    all
}

/// What comes if it happens once more: nothing for a one-shot watch that has fired.
fn again(a: Client<'_>) {
    a.create("/x", "", 0);
    a.set("/x", "once more");
    a.create("/x/z", "", 0);
}

fn combined() -> Vec<Case> {
    vec![
        case("watch: set twice fires once", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            a.get_watch("/x");
            a.get_watch("/x");
            a.exists_watch("/x");
            a.set("/x", "1");
            a.set("/x", "2");
        }),
        case("watch: set again after it fired", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            for data in ["1", "2", "3"] {
                a.get_watch("/x");
                a.set("/x", data);
            }
        }),
        case("watch: data and child watches on one node, deleted", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", 0);
            b.get_watch("/x");
            b.children_watch("/x");
            b.children_watch("/");
            a.delete("/x");
            a.create("/x", "", 0);
            a.delete("/x");
        }),
        case("watch: exists and getData are one on a present node", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", 0);
            b.exists_watch("/x");
            b.get_watch("/x");
            a.delete("/x");
            a.create("/x", "", 0);
        }),
        case("watch: a failed read sets none", |t| {
            let (a, b) = (t.open(), t.open());
            b.get_watch("/x");
            b.children_watch("/x");
            a.create("/x", "", 0);
            a.set("/x", "1");
            a.create("/x/y", "", 0);
        }),
        case("watch: exists of a missing node fires on its creation only", |t| {
            let (a, b) = (t.open(), t.open());
            b.exists_watch("/x");
            b.exists_watch("/x/y");
            a.create("/x", "", 0);
            a.create("/x/y", "", 0);
            a.set("/x", "1");
            a.delete("/x/y");
        }),
        case("watch: the event comes before the reply of the write that caused it", |t| {
            let a = t.open();
            a.create("/x", "", 0);
            a.get_watch("/x");
            a.children_watch("/");
            a.post(set_data("/x", "1", -1));
            a.post(read(OpCode::GetData, "/x", true));
            a.post(set_data("/x", "2", -1));
            a.post(create("/y", "", 0));
            a.post(read(OpCode::GetData, "/x", false));
            a.collect();
        }),
        case("watch: the event comes before a read of the new state", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", 0);
            for _ in 0..10 {
                b.get_watch("/x");
                a.post(set_data("/x", "new", -1));
                a.collect();
                b.get("/x");
            }
        }),
        case("watch: order of the events of a multi", |t| {
            let (a, b) = (t.open(), t.open());
            for path in ["/x", "/y", "/z"] {
                a.create(path, "", 0);
                b.get_watch(path);
                b.children_watch(path);
            }
            b.exists_watch("/w");
            b.children_watch("/");
            a.call(multi([
                set_data("/z", "", -1),
                create("/y/k", "", 0),
                delete("/x", -1),
                create("/w", "", 0),
                set_data("/y", "", -1),
            ]));
        }),
        case("watch: order of the events of a delete", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", 0);
            b.children_watch("/x");
            b.children_watch("/");
            b.get_watch("/x");
            b.persistent("/");
            b.persistent("/x");
            a.delete("/x");
        }),
        case("watch: order of the events of a create", |t| {
            let (a, b) = (t.open(), t.open());
            b.children_watch("/");
            b.exists_watch("/x");
            b.persistent("/x");
            b.recursive("/");
            a.create("/x", "", 0);
        }),
        case("watch: gone with the session that set it", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", 0);
            b.get_watch("/x");
            b.close();
            a.set("/x", "1");
        }),
        case("watch: gone with the connection that set it", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", 0);
            b.get_watch("/x");
            b.children_watch("/x");
            b.persistent("/x");
            b.cut();
            let c = b.reattach(0);
            a.set("/x", "1");
            a.create("/x/y", "", 0);
            c.exists("/x");
        }),
        case("watch: a session that ends fires for all its ephemerals", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/p", "", 0);
            for name in ["/p/a", "/p/b", "/q"] {
                a.create(name, "", EPHEMERAL);
                b.exists_watch(name);
            }
            a.create("/p/s", "", EPHEMERAL_SEQUENTIAL);
            b.children_watch("/p");
            b.children_watch("/");
            a.close();
            b.children("/p");
        }),
        case("watch: a session's own watches when it closes", |t| {
            let a = t.open();
            a.create("/e", "", EPHEMERAL);
            a.get_watch("/e");
            a.children_watch("/");
            a.close();
            t.open().children("/");
        }),
        case("watch: nothing comes of a session's end to one who watches another path", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            b.exists_watch("/f");
            a.close();
            b.call(bare(OpCode::Ping));
        }),
        case("watch: many watchers of one path", |t| {
            let clients: Vec<Client<'_>> = (0..8).map(|_| t.open()).collect();
            clients[0].create("/x", "", 0);
            for client in &clients {
                client.get_watch("/x");
            }
            clients[3].set("/x", "1");
            clients[3].set("/x", "2");
        }),
        case("watch: many paths of one watcher", |t| {
            let (a, b) = (t.open(), t.open());
            for number in 0..50 {
                b.post(read(OpCode::Exists, &format!("/n{number}"), true));
            }
            b.collect();
            for number in 0..50 {
                a.post(create(&format!("/n{number}"), "", 0));
            }
            a.collect();
        }),
        case("watch: on an ephemeral that is replaced in a multi", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "a", EPHEMERAL);
            b.get_watch("/x");
            b.children_watch("/");
            a.call(multi([delete("/x", 0), create("/x", "b", EPHEMERAL)]));
            b.get("/x");
        }),
    ]
}
