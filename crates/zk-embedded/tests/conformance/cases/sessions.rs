//! The life of sessions: new, attached again, refused, closed, expired; and what goes with them.

use zk_wire::{ConnectRequest, OpCode};

use super::{Case, EPHEMERAL, case};
use crate::common::bench::new_session;
use crate::common::request::{bare, create, read};

pub(super) fn cases() -> Vec<Case> {
    let mut all = new_ones();
    all.extend(again());
    all.extend(ends());
    all.extend(expiry());
    all
}

fn new_ones() -> Vec<Case> {
    let mut all = Vec::new();
    for timeout_ms in [0, -1, 1, 999, 1_000, 1_001, 4_000, 9_999, 10_000, 10_001, 60_000, i32::MIN, i32::MAX]
    {
        all.push(case(format!("session: timeout of {timeout_ms}"), move |t| {
            let a = t.connect(&ConnectRequest { timeout_ms, ..new_session() });
            if a.is_open() {
                a.exists("/");
            }
        }));
    }
    for read_only in [None, Some(false), Some(true)] {
        all.push(case(format!("session: read-only flag {read_only:?}"), move |t| {
            let a = t.connect(&ConnectRequest { read_only, ..new_session() });
            a.create("/x", "", 0);
            a.close();
        }));
        all.push(case(format!("session: refused with read-only flag {read_only:?}"), move |t| {
            t.connect(&ConnectRequest { read_only, session_id: 77, ..new_session() });
        }));
    }
    for protocol in [-1, 1, i32::MAX] {
        all.push(case(format!("session: protocol version {protocol}"), move |t| {
            let a = t.connect(&ConnectRequest { protocol_version: protocol, ..new_session() });
            if a.is_open() {
                a.exists("/");
            }
        }));
    }
    for (name, password) in [
        ("null", None),
        ("empty", Some(vec![])),
        ("short", Some(vec![1; 3])),
        ("long", Some(vec![1; 100])),
        ("not of zeros", Some(vec![7; 16])),
    ] {
        all.push(case(format!("session: new with a password that is {name}"), move |t| {
            let a = t.connect(&ConnectRequest { password: password.clone(), ..new_session() });
            if a.is_open() {
                a.exists("/");
            }
        }));
    }
    all.push(case("session: a client ahead of us", |t| {
        t.connect(&ConnectRequest { last_zxid_seen: i64::MAX, ..new_session() });
        t.connect(&ConnectRequest { last_zxid_seen: t.base() + 1000, ..new_session() });
        let a = t.open();
        a.exists("/");
    }));
    all.push(case("session: a client that has seen all there is", |t| {
        let a = t.open();
        let seen = a.create("/x", "", 0).zxid;
        let b = t.connect(&ConnectRequest { last_zxid_seen: seen, ..new_session() });
        b.exists("/x");
        t.connect(&ConnectRequest { last_zxid_seen: -1, ..new_session() }).exists("/x");
    }));
    all.push(case("session: each takes a zxid", |t| {
        let a = t.open();
        a.create("/x", "", 0);
        let b = t.open();
        let c = t.open();
        a.create("/y", "", 0);
        b.close();
        a.create("/z", "", 0);
        c.create("/w", "", 0);
    }));
    all
}

fn again() -> Vec<Case> {
    vec![
        case("session: attached again with its password", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            a.cut();
            let a = a.reattach(0);
            b.exists("/e");
            a.exists("/e");
            a.create("/f", "", EPHEMERAL);
            a.close();
            b.children("/");
        }),
        case("session: attached again while the old connection stands", |t| {
            let a = t.open();
            a.create("/e", "", EPHEMERAL);
            let again = a.reattach(0);
            a.read_to_close();
            again.exists("/e");
            let third = again.reattach(0);
            again.read_to_close();
            third.exists("/e");
        }),
        case("session: attached again with another timeout", |t| {
            let a = t.open();
            let (session, password) = a.session();
            a.cut();
            let hello = ConnectRequest {
                session_id: session,
                password: Some(password),
                timeout_ms: 2_000,
                ..new_session()
            };
            t.connect(&hello).exists("/");
        }),
        case("session: attached again by an old client", |t| {
            let a = t.open();
            let (session, password) = a.session();
            a.cut();
            let hello = ConnectRequest {
                session_id: session,
                password: Some(password),
                read_only: None,
                ..new_session()
            };
            t.connect(&hello).exists("/");
        }),
        case("session: attached again by a client ahead of us", |t| {
            let a = t.open();
            a.create("/e", "", EPHEMERAL);
            let (session, password) = a.session();
            a.cut();
            let ahead = ConnectRequest {
                session_id: session,
                password: Some(password),
                last_zxid_seen: i64::MAX,
                ..new_session()
            };
            t.connect(&ahead);
            t.open().exists("/e");
            let hello = ConnectRequest { last_zxid_seen: t.base(), ..ahead };
            t.connect(&hello).exists("/e");
        }),
        case("session: a wrong password", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            let (session, password) = a.session();
            a.cut();
            for wrong in [vec![0; 16], vec![], password[..15].to_vec(), [password.clone(), vec![0]].concat()]
            {
                t.connect(&ConnectRequest { session_id: session, password: Some(wrong), ..new_session() });
            }
            t.connect(&ConnectRequest { session_id: session, password: None, ..new_session() });
            b.exists("/e");
            t.connect(&ConnectRequest { session_id: session, password: Some(password), ..new_session() })
                .exists("/e");
        }),
        case("session: a wrong password while the owner is connected", |t| {
            let a = t.open();
            a.create("/e", "", EPHEMERAL);
            let (session, _) = a.session();
            t.connect(&ConnectRequest { session_id: session, ..new_session() });
            t.sync_all();
            let b = t.open();
            b.exists("/e");
        }),
        case("session: an unknown one", |t| {
            for session in [1, -1, i64::MAX, i64::MIN] {
                t.connect(&ConnectRequest { session_id: session, ..new_session() });
            }
            t.open().exists("/");
        }),
        case("session: a closed one", |t| {
            let (a, b) = (t.open(), t.open());
            let (session, password) = a.session();
            a.close();
            let hello = ConnectRequest { session_id: session, password: Some(password), ..new_session() };
            t.connect(&hello);
            b.exists("/");
            b.create("/x", "", 0);
        }),
        case("session: an expired one", |t| {
            let (a, b) = (t.open(), t.open());
            let (session, password) = a.session();
            a.expire();
            let hello = ConnectRequest { session_id: session, password: Some(password), ..new_session() };
            t.connect(&hello);
            b.create("/x", "", 0);
        }),
        case("session: many connections in turn", |t| {
            let mut a = t.open();
            for number in 0..10 {
                a.create(&format!("/n{number}"), "", EPHEMERAL);
                a.cut();
                a = a.reattach(0);
            }
            a.children("/");
        }),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        case("close: deletes the ephemerals", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/p", "", 0);
            a.create("/p/x", "", EPHEMERAL);
            a.create("/p/y", "", EPHEMERAL);
            a.create("/p/keep", "", 0);
            b.create("/p/other", "", EPHEMERAL);
            a.close();
            b.children("/p");
            b.exists("/p/keep");
        }),
        case("close: without ephemerals", |t| {
            let (a, b) = (t.open(), t.open());
            a.close();
            b.create("/x", "", 0);
        }),
        case("close: requests sent before it are answered", |t| {
            let (a, b) = (t.open(), t.open());
            a.post(create("/x", "", 0));
            a.post(create("/e", "", EPHEMERAL));
            a.post(read(OpCode::GetData, "/x", true));
            a.call(bare(OpCode::CloseSession));
            b.children("/");
        }),
        case("close: requests sent behind it are not", |t| {
            let (a, b) = (t.open(), t.open());
            a.post(bare(OpCode::CloseSession));
            a.read_to_close();
            b.children("/");
        }),
        case("close: with an xid", |t| {
            let a = t.open();
            a.post_as(4711, bare(OpCode::CloseSession));
            a.await_close();
        }),
        case("expire: deletes the ephemerals and ends the connection", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            a.create("/keep", "", 0);
            b.exists_watch("/e");
            b.children_watch("/");
            a.expire();
            b.children("/");
        }),
        case("expire: while its owner is away", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            b.exists_watch("/e");
            a.cut();
            a.expire();
            b.exists("/e");
        }),
        case("cut: ephemerals stay", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            b.exists_watch("/e");
            a.cut();
            b.exists("/e");
            b.set("/e", "by another");
        }),
        case("cut: by ending the sending half", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            a.finish();
            b.exists("/e");
        }),
    ]
}

/// These wait for the server's own clock.
fn expiry() -> Vec<Case> {
    vec![
        case("expiry: of a silent client", |t| {
            let short = ConnectRequest { timeout_ms: 1_000, ..new_session() };
            let (a, b) = (t.connect(&short), t.open());
            a.create("/e", "", EPHEMERAL);
            b.exists_watch("/e");
            b.children_watch("/");
            a.fall_silent();
            b.await_event();
            a.await_close();
            b.children("/");
            b.create("/x", "", 0);
        }),
        case("expiry: of a client that is gone", |t| {
            let short = ConnectRequest { timeout_ms: 1_000, ..new_session() };
            let (a, b) = (t.connect(&short), t.open());
            a.create("/e", "", EPHEMERAL);
            b.exists_watch("/e");
            a.cut();
            b.await_event();
            a.reattach(0);
            b.create("/x", "", 0);
        }),
    ]
}
