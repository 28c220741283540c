//! addWatch, and the removing and checking of watches.

use zk_wire::OpCode;

use super::watches::kinds;
use super::{Case, EPHEMERAL, case};
use crate::common::bench::Client;
use crate::common::request::{create, delete, multi, of_kind, set_data};

pub(super) fn cases() -> Vec<Case> {
    let mut all = adding();
    all.extend(combined());
    all.extend(removing());
    all
}

/// A life of `/x` and what is below it.
fn life(a: Client<'_>) {
    a.create("/x", "", 0);
    a.set("/x", "1");
    a.create("/x/y", "", 0);
    a.set("/x/y", "1");
    a.create("/x/y/z", "", 0);
    a.set("/x/y/z", "1");
    a.delete("/x/y/z");
    a.delete("/x/y");
    a.delete("/x");
}

fn adding() -> Vec<Case> {
    let mut all = Vec::new();
    for mode in [-1, 0, 1, 2, 99] {
        all.push(case(format!("addWatch: mode {mode}, over two lives"), move |t| {
            let (a, b) = (t.open(), t.open());
            b.call(of_kind(OpCode::AddWatch, "/x", mode));
            if b.is_open() {
                life(a);
                life(a);
            }
        }));
    }
    for mode in [0, 1] {
        all.push(case(format!("addWatch: mode {mode} twice fires once"), move |t| {
            let (a, b) = (t.open(), t.open());
            b.call(of_kind(OpCode::AddWatch, "/x", mode));
            b.call(of_kind(OpCode::AddWatch, "/x", mode));
            life(a);
        }));
        all.push(case(format!("addWatch: mode {mode} of the writer itself"), move |t| {
            let a = t.open();
            a.call(of_kind(OpCode::AddWatch, "/x", mode));
            life(a);
        }));
        all.push(case(format!("addWatch: mode {mode} is gone after a reconnect"), move |t| {
            let (a, b) = (t.open(), t.open());
            b.call(of_kind(OpCode::AddWatch, "/x", mode));
            b.cut();
            let c = b.reattach(0);
            life(a);
            c.exists("/x");
        }));
        all.push(case(format!("addWatch: mode {mode} and ephemerals of a session that ends"), move |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/x", "", 0);
            b.call(of_kind(OpCode::AddWatch, "/x", mode));
            b.call(of_kind(OpCode::AddWatch, "/", mode));
            a.create("/x/e", "", EPHEMERAL);
            a.create("/x/f", "", EPHEMERAL);
            a.close();
            b.children("/x");
        }));
    }
    all.push(case("addWatch: recursive, nested", |t| {
        let (a, b) = (t.open(), t.open());
        b.recursive("/");
        b.recursive("/x");
        b.recursive("/x/y");
        life(a);
    }));
    all.push(case("addWatch: recursive does not match a longer name", |t| {
        let (a, b) = (t.open(), t.open());
        b.recursive("/x");
        a.create("/xy", "", 0);
        a.create("/x", "", 0);
        a.create("/x/a", "", 0);
        a.delete("/xy");
    }));
    all.push(case("addWatch: recursive at the deep end of a multi", |t| {
        let (a, b) = (t.open(), t.open());
        b.recursive("/");
        a.call(multi([
            create("/x", "", 0),
            create("/x/y", "", 0),
            set_data("/x/y", "1", -1),
            delete("/x/y", -1),
            set_data("/x", "1", -1),
        ]));
    }));
    // A deletion that is told: the write and the deletion are next to each other.
    all.push(case("addWatch: a write and a delete in one multi", |t| {
        let (a, b, c) = (t.open(), t.open(), t.open());
        a.create("/x", "", 0);
        a.create("/x/e", "", EPHEMERAL);
        b.recursive("/x");
        c.get_watch("/x/e");
        c.children_watch("/x");
        let told = |version| multi([set_data("/x/e", "left", version), delete("/x/e", version + 1)]);
        a.call(told(1));
        a.call(told(0));
        a.call(told(0));
        a.children("/x");
    }));
    all
}

fn combined() -> Vec<Case> {
    let mut all = Vec::new();
    // ZOOKEEPER-4466: watches of several modes on one path, set in either order.
    let watches = kinds();
    for (first, one) in &watches[..6] {
        for (second, other) in &watches[..6] {
            let (one, other) = (one.clone(), other.clone());
            all.push(case(format!("watches combined: {first}, then {second}"), move |t| {
                let (a, b) = (t.open(), t.open());
                a.create("/x", "", 0);
                b.call(one.clone());
                b.call(other.clone());
                a.set("/x", "1");
                a.set("/x", "2");
                a.create("/x/y", "", 0);
                a.set("/x/y", "1");
                a.delete("/x/y");
                a.delete("/x");
                life(a);
            }));
        }
    }
    all.push(case("watches combined: one-shot below a recursive one", |t| {
        let (a, b) = (t.open(), t.open());
        a.create("/x", "", 0);
        b.recursive("/");
        b.get_watch("/x");
        b.children_watch("/x");
        a.set("/x", "1");
        a.create("/x/y", "", 0);
        a.set("/x", "2");
        a.delete("/x/y");
    }));
    all.push(case("watches combined: a recursive one and child watches in its tree", |t| {
        let (a, b) = (t.open(), t.open());
        b.children_watch("/");
        b.recursive("/");
        life(a);
        b.children_watch("/");
        life(a);
    }));
    all.push(case("watches combined: of two clients on one path", |t| {
        let (a, b, c) = (t.open(), t.open(), t.open());
        b.persistent("/x");
        c.recursive("/x");
        a.exists_watch("/x");
        life(a);
    }));
    all
}

fn removing() -> Vec<Case> {
    let mut all = Vec::new();
    for (name, watch) in kinds().into_iter().take(6) {
        for kind in [1, 2, 3, 4, 5, 0, -1] {
            let watch = watch.clone();
            all.push(case(format!("removeWatches: kind {kind} after {name}"), move |t| {
                let (a, b) = (t.open(), t.open());
                a.create("/x", "", 0);
                b.call(watch.clone());
                b.call(of_kind(OpCode::CheckWatches, "/x", kind));
                a.call(of_kind(OpCode::CheckWatches, "/x", kind));
                if !b.is_open() {
                    return;
                }
                b.call(of_kind(OpCode::RemoveWatches, "/x", kind));
                if !b.is_open() {
                    return;
                }
                b.call(of_kind(OpCode::CheckWatches, "/x", 3));
                a.set("/x", "1");
                a.create("/x/y", "", 0);
                a.delete("/x/y");
                a.delete("/x");
                if b.is_open() {
                    b.call(of_kind(OpCode::RemoveWatches, "/x", kind));
                }
            }));
        }
    }
    all.push(case("removeWatches: of an exists watch on a missing node", |t| {
        let (a, b) = (t.open(), t.open());
        b.exists_watch("/x");
        b.call(of_kind(OpCode::CheckWatches, "/x", 2));
        b.call(of_kind(OpCode::CheckWatches, "/x", 1));
        b.call(of_kind(OpCode::RemoveWatches, "/x", 2));
        a.create("/x", "", 0);
    }));
    all.push(case("removeWatches: of two kinds, one by one", |t| {
        let (a, b) = (t.open(), t.open());
        a.create("/x", "", 0);
        b.get_watch("/x");
        b.children_watch("/x");
        b.call(of_kind(OpCode::RemoveWatches, "/x", 1));
        b.call(of_kind(OpCode::CheckWatches, "/x", 1));
        b.call(of_kind(OpCode::CheckWatches, "/x", 2));
        b.call(of_kind(OpCode::CheckWatches, "/x", 3));
        a.create("/x/y", "", 0);
        a.set("/x", "1");
    }));
    all.push(case("removeWatches: of two kinds at once", |t| {
        let (a, b) = (t.open(), t.open());
        a.create("/x", "", 0);
        b.get_watch("/x");
        b.children_watch("/x");
        b.call(of_kind(OpCode::RemoveWatches, "/x", 3));
        a.create("/x/y", "", 0);
        a.set("/x", "1");
    }));
    all.push(case("removeWatches: leaves another client's", |t| {
        let (a, b) = (t.open(), t.open());
        a.create("/x", "", 0);
        a.get_watch("/x");
        b.get_watch("/x");
        b.call(of_kind(OpCode::RemoveWatches, "/x", 2));
        a.set("/x", "1");
        b.call(of_kind(OpCode::CheckWatches, "/x", 2));
    }));
    all.push(case("removeWatches: leaves those of other paths", |t| {
        let (a, b) = (t.open(), t.open());
        b.recursive("/");
        b.persistent("/x");
        b.call(of_kind(OpCode::RemoveWatches, "/x", 3));
        a.create("/x", "", 0);
        b.call(of_kind(OpCode::RemoveWatches, "/", 3));
        a.delete("/x");
    }));
    all.push(case("removeWatches: after the watch has fired", |t| {
        let (a, b) = (t.open(), t.open());
        a.create("/x", "", 0);
        b.get_watch("/x");
        a.set("/x", "1");
        b.call(of_kind(OpCode::CheckWatches, "/x", 2));
        b.call(of_kind(OpCode::RemoveWatches, "/x", 2));
    }));
    all
}
