//! What the server deletes by itself: containers that have become empty, znodes whose time is over.

use zk_wire::{CreateKind, OpCode, Request};

use super::{Case, EPHEMERAL, case};
use crate::common::request::{create, create_by, delete, multi, open};

fn create_ttl(path: &str, ttl: i64) -> Request {
    let (data, acl) = (Some(b"d".to_vec()), Some(open()));
    Request::Create { kind: CreateKind::Ttl, path: path.into(), data, acl, flags: 5, ttl }
}

/// Cases that want a server that looks often.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("timed: a container goes when its last child has gone", |t| {
            let (a, b) = (t.open(), t.open());
            a.call(create_by(OpCode::CreateContainer, "/x", "", 4));
            a.create("/x/y", "", 0);
            b.exists_watch("/x");
            b.children_watch("/x");
            b.children_watch("/");
            a.delete("/x/y");
            b.await_event_of("deleted ~/x$");
            a.exists("/x");
            a.exists("/");
            a.create("/x", "", 0);
        }),
        case("timed: a container made in a multi goes, too", |t| {
            let (a, b) = (t.open(), t.open());
            b.recursive("/");
            a.call(multi([
                create_by(OpCode::CreateContainer, "/x", "", 4),
                create("/x/y", "", 0),
                delete("/x/y", -1),
            ]));
            b.await_event_of("deleted ~/x$");
            a.exists("/x");
        }),
        case("timed: a container goes when the session of its last child ends", |t| {
            let (a, b) = (t.open(), t.open());
            a.call(create_by(OpCode::CreateContainer, "/x", "", 4));
            a.create("/x/e", "", EPHEMERAL);
            b.recursive("/x");
            a.close();
            b.await_event_of("deleted ~/x$");
            b.exists("/");
        }),
        case("timed: nested containers go one after another", |t| {
            let (a, b) = (t.open(), t.open());
            a.call(create_by(OpCode::CreateContainer, "/x", "", 4));
            a.call(create_by(OpCode::CreateContainer, "/x/y", "", 4));
            a.create("/x/y/z", "", 0);
            b.recursive("/x");
            a.delete("/x/y/z");
            b.await_event_of("deleted ~/x$");
            b.exists("/");
        }),
        case("timed: a znode goes when its time is over", |t| {
            let (a, b) = (t.open(), t.open());
            b.recursive("/");
            a.call(create_ttl("/x", 200));
            b.await_event_of("deleted ~/x$");
            a.exists("/x");
            a.exists("/");
        }),
        case("timed: a znode with children does not go before they do", |t| {
            let (a, b) = (t.open(), t.open());
            b.recursive("/");
            // Long enough for the child to be there before, short enough to be over when the other goes.
            a.call(create_ttl("/x", 500));
            a.create("/x/y", "", 0);
            a.call(create_ttl("/z", 700));
            b.await_event_of("deleted ~/z$");
            a.exists("/x");
            a.delete("/x/y");
            b.await_event_of("deleted ~/x$");
            a.exists("/");
        }),
    ]
}

/// Cases that want a server without extended types, as it is by default.
pub(crate) fn without_extended_types() -> Vec<Case> {
    let mut all = Vec::new();
    for flags in 0..7 {
        all.push(case(format!("no extended types: createTTL with flags {flags}"), move |t| {
            let (a, b) = (t.open(), t.open());
            a.call(create_by(OpCode::CreateTtl, "/x", "", flags));
            if a.is_open() {
                a.children("/");
            }
            b.children("/");
        }));
    }
    for flags in [5, 6] {
        all.push(case(format!("no extended types: create with flags {flags}"), move |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", flags);
            b.call(create_by(OpCode::Create2, "/y", "", flags));
            t.open().children("/");
        }));
    }
    all.push(case("no extended types: createTTL in a multi", |t| {
        let (a, b) = (t.open(), t.open());
        a.call(multi([create("/x", "", 0), create_ttl("/y", 1000)]));
        b.children("/");
        if a.is_open() {
            a.exists("/x");
        }
    }));
    all.push(case("no extended types: containers are none of them", |t| {
        let a = t.open();
        a.call(create_by(OpCode::CreateContainer, "/x", "", 4));
        a.exists("/x");
    }));
    all
}
