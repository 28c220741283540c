//! setWatches and setWatches2: what fires at once after a reconnect, and what is armed again.

use zk_wire::{OpCode, Request};

use super::{Case, EPHEMERAL, case};
use crate::common::bench::{Bench, Client};
use crate::common::request::{delete, multi, of_kind, set_acl, set_data, set_watches};

/// What happens while the client is away; it knows the state before.
fn changes() -> Vec<(&'static str, Vec<Request>)> {
    let create = |path| crate::common::request::create(path, "", 0);
    vec![
        ("nothing", vec![]),
        ("a write elsewhere", vec![create("/elsewhere")]),
        ("setData", vec![set_data("/x", "1", -1)]),
        ("setACL", vec![set_acl("/x", crate::common::request::open(), -1)]),
        ("create of a child", vec![create("/x/new")]),
        ("delete of a child", vec![delete("/x/a", -1)]),
        ("delete", vec![delete("/x/a", -1), delete("/x", -1)]),
        ("delete and create", vec![delete("/x/a", -1), delete("/x", -1), create("/x")]),
        ("create of the missing", vec![create("/missing")]),
        ("create and delete of the missing", vec![create("/missing"), delete("/missing", -1)]),
        ("a multi", vec![multi([set_data("/x", "1", -1), create("/x/new"), create("/missing")])]),
    ]
}

fn lists() -> Vec<(&'static str, Vec<&'static [&'static str]>)> {
    vec![
        ("data", vec![&["/x", "/missing"], &[], &[]]),
        ("exist", vec![&[], &["/x", "/missing"], &[]]),
        ("child", vec![&[], &[], &["/x", "/missing"]]),
        ("all three", vec![&["/x"], &["/missing"], &["/x"]]),
        ("persistent", vec![&[], &[], &[], &["/x", "/missing"], &[]]),
        ("recursive", vec![&[], &[], &[], &[], &["/x", "/missing"]]),
        ("all five", vec![&["/x"], &["/missing"], &["/x"], &["/missing"], &["/x"]]),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (list, watches) in lists() {
        for (change, requests) in changes() {
            let (watches, requests) = (watches.clone(), requests.clone());
            all.push(case(format!("setWatches: {list} after {change}"), move |t| {
                let (a, b) = (t.open(), t.open());
                a.create("/x", "old", 0);
                let seen = a.create("/x/a", "", 0).zxid;
                b.cut();
                for request in &requests {
                    a.call(request.clone());
                }
                let c = b.reattach(seen);
                c.call(set_watches(seen, &watches));
                later(a);
            }));
        }
    }
    all.extend(others());
    all
}

/// The changes that show which watches are set afterwards.
fn later(a: Client<'_>) {
    a.create("/x", "", 0);
    a.set("/x", "2");
    a.create("/x/z", "", 0);
    a.create("/missing", "", 0);
    a.set("/missing", "2");
    a.delete("/missing");
}

fn away(t: &Bench<'_>, seen: impl Fn(i64) -> i64) {
    let (a, b) = (t.open(), t.open());
    let first = a.create("/x", "", 0).zxid;
    a.set("/x", "1");
    a.create("/x/y", "", 0);
    b.call(set_watches(seen(first), &[&["/x"], &["/x", "/missing"], &["/x"]]));
    a.set("/x", "2");
    a.create("/x/z", "", 0);
}

fn others() -> Vec<Case> {
    vec![
        case("setWatches: relative to 0", |t| away(t, |_| 0)),
        case("setWatches: relative to the creation", |t| away(t, |zxid| zxid)),
        case("setWatches: relative to the write", |t| away(t, |zxid| zxid + 1)),
        case("setWatches: relative to the child", |t| away(t, |zxid| zxid + 2)),
        case("setWatches: relative to the future", |t| away(t, |_| i64::MAX)),
        case("setWatches: relative to a negative zxid", |t| away(t, |_| -1)),
        case("setWatches: without a reconnect", |t| {
            let (a, b) = (t.open(), t.open());
            let seen = a.create("/x", "", 0).zxid;
            b.get_watch("/x");
            b.call(set_watches(seen, &[&["/x"], &[], &["/x"]]));
            a.set("/x", "1");
            a.create("/x/y", "", 0);
            a.set("/x", "2");
        }),
        case("setWatches: empty", |t| {
            let a = t.open();
            a.call(set_watches(0, &[&[], &[], &[]]));
            a.call(set_watches(0, &[&[], &[], &[], &[], &[]]));
        }),
        case("setWatches: the same path many times", |t| {
            let (a, b) = (t.open(), t.open());
            let seen = a.create("/x", "", 0).zxid;
            b.call(set_watches(seen, &[&["/x", "/x", "/x"], &["/x"], &["/x", "/x"]]));
            a.set("/x", "1");
            a.create("/x/y", "", 0);
            b.call(set_watches(seen, &[&["/x", "/x"], &["/x"], &["/x", "/x"]]));
        }),
        case("setWatches: unusual paths", |t| {
            let (a, b) = (t.open(), t.open());
            b.call(set_watches(0, &[&["!nowhere", "!", "//x"], &["/x/", "!zz"], &["!"]]));
            a.exists("/");
            b.exists("/");
        }),
        case("setWatches: two of them with a write between", |t| {
            let (a, b) = (t.open(), t.open());
            let seen = a.create("/x", "", 0).zxid;
            b.call(set_watches(seen, &[&["/x"], &[], &[]]));
            a.set("/x", "1");
            b.call(set_watches(seen, &[&["/x"], &[], &[]]));
            let seen = a.set("/x", "2").zxid;
            b.call(set_watches(seen, &[&["/x"], &[], &[]]));
            a.set("/x", "3");
        }),
        case("setWatches: for ephemerals that went meanwhile", |t| {
            let (a, b, c) = (t.open(), t.open(), t.open());
            let seen = a.create("/e", "", EPHEMERAL).zxid;
            b.get_watch("/e");
            b.cut();
            a.close();
            let b = b.reattach(seen);
            b.call(set_watches(seen, &[&["/e"], &["/e"], &["/"]]));
            c.create("/e", "", 0);
        }),
        case("setWatches: events come before its reply", |t| {
            let (a, b) = (t.open(), t.open());
            let seen = a.create("/x", "", 0).zxid;
            a.set("/x", "1");
            b.post(set_watches(seen, &[&["/x", "/gone"], &["/x"], &["/gone"]]));
            b.post(set_data("/x", "2", -1));
            b.collect();
        }),
        case("setWatches2: persistent watches are checked for and removed", |t| {
            let (a, b) = (t.open(), t.open());
            b.call(set_watches(0, &[&[], &[], &[], &["/x"], &["/y"]]));
            for kind in [1, 2, 3] {
                b.call(of_kind(OpCode::CheckWatches, "/x", kind));
                b.call(of_kind(OpCode::CheckWatches, "/y", kind));
            }
            b.call(of_kind(OpCode::RemoveWatches, "/x", 3));
            b.call(of_kind(OpCode::RemoveWatches, "/y", 3));
            a.create("/x", "", 0);
            a.create("/y", "", 0);
        }),
        case("setWatches2: persistent and one-shot lists with one path", |t| {
            let (a, b) = (t.open(), t.open());
            let seen = a.create("/x", "", 0).zxid;
            b.call(set_watches(seen, &[&["/x"], &[], &["/x"], &["/x"], &["/x"]]));
            a.set("/x", "1");
            a.create("/x/y", "", 0);
            a.set("/x", "2");
            a.create("/x/z", "", 0);
        }),
    ]
}
