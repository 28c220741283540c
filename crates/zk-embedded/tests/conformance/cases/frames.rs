//! Frames that no client should send: what they cost, and that they cost no more than the connection.

use zk_wire::{OpCode, Request, Writer};

use super::{Case, EPHEMERAL, case};
use crate::common::bench::new_session;
use crate::common::request::{Sent, bare, create, open, raw, write_acl};

/// The largest frame that is taken.
const LARGEST: usize = 0xf_ffff;

pub(super) fn cases() -> Vec<Case> {
    let mut all = unknown();
    all.push(sasl());
    all.extend(bodies());
    all.extend(broken());
    all.extend(first());
    all.extend(sizes());
    all
}

/// Op codes that mean nothing to a client's port, or nothing at all.
fn unknown() -> Vec<Case> {
    let codes = [-1, -10, -12, 0, 10, 16, 20, 23, 24, 99, 102, 108, 109, 118, 200, 777, i32::MAX, i32::MIN];
    let run = |code: i32| {
        case(format!("unknown op: {code}"), move |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            a.call(bare(code.into()));
            if a.is_open() {
                a.exists("/e");
            }
            b.exists("/e");
            b.create("/x", "", 0);
        })
    };
    codes.into_iter().map(run).collect()
}

/// A sasl request with a token, to a server that knows no SASL.
fn sasl() -> Case {
    case("frame: sasl with a token", |t| {
        for token in [None, Some(&b""[..]), Some(b"token")] {
            let a = t.open();
            a.call(raw(OpCode::Sasl, Writer::new().buffer(token)));
            a.create("/x", "", 0);
        }
    })
}

/// Known ops with bodies that are too short, too long, or nonsense.
fn bodies() -> Vec<Case> {
    let ops = [
        OpCode::Create,
        OpCode::Delete,
        OpCode::Exists,
        OpCode::GetData,
        OpCode::SetData,
        OpCode::GetAcl,
        OpCode::SetAcl,
        OpCode::GetChildren,
        OpCode::Sync,
        OpCode::GetChildren2,
        OpCode::Check,
        OpCode::Create2,
        OpCode::CheckWatches,
        OpCode::RemoveWatches,
        OpCode::CreateContainer,
        OpCode::CreateTtl,
        OpCode::MultiRead,
        OpCode::Auth,
        OpCode::SetWatches,
        OpCode::GetEphemerals,
        OpCode::GetAllChildrenNumber,
        OpCode::SetWatches2,
        OpCode::AddWatch,
    ];
    let bodies = [
        ("without a body", Writer::new()),
        ("with half a length", Writer::new().raw(&[0, 0])),
        ("with a path that ends too early", Writer::new().int(100).raw(b"/x")),
        ("with a negative length", Writer::new().int(-7)),
        ("with a null path", Writer::new().int(-1)),
        ("with a huge length", Writer::new().int(i32::MAX)),
    ];
    let mut all = Vec::new();
    for (name, body) in bodies {
        all.push(case(format!("frame: {name}"), move |t| {
            let b = t.open();
            b.create("/x", "", 0);
            for op in ops {
                t.note(op);
                let a = t.open();
                a.call(raw(op, body.clone()));
                if a.is_open() {
                    a.exists("/x");
                    a.close();
                }
            }
            b.exists("/x");
        }));
    }
    all.push(case("frame: more bytes than the request needs", |t| {
        let a = t.open();
        a.create("/x", "", 0);
        let path = t.place("/x");
        let read = Writer::new().string(&path).bool(false).raw(b"and more");
        a.call(raw(OpCode::GetData, read));
        let body = Writer::new()
            .string(&t.place("/y"))
            .string("d")
            .vector(Some(&open()), write_acl)
            .int(0)
            .raw(b"more");
        a.call(raw(OpCode::Create, body));
        a.call(raw(OpCode::Ping, Writer::new().raw(b"ping with a body")));
        a.call(raw(OpCode::WhoAmI, Writer::new().raw(b"body")));
        a.exists("/y");
    }));
    all.push(case("frame: flags that are neither 0 nor 1", |t| {
        let (a, b) = (t.open(), t.open());
        b.create("/x", "", 0);
        for flag in [2_u8, 255, 128] {
            let body = Writer::new().string(&t.place("/x")).raw(&[flag]);
            a.call(raw(OpCode::GetData, body));
            b.set("/x", "1");
        }
    }));
    all.push(case("frame: a path that is no UTF-8", |t| {
        let a = t.open();
        let path = [t.place("/").as_bytes(), b"/\xff\xfe"].concat();
        let body = Writer::new().buffer(Some(&path)).bool(false);
        a.call(raw(OpCode::Exists, body));
        let body = Writer::new().buffer(Some(&path)).string("d").vector(Some(&open()), write_acl).int(0);
        a.call(raw(OpCode::Create, body));
        a.exists("/");
    }));
    all.push(case("frame: counts of lists that lie", |t| {
        for count in [-1, -2, 5, i32::MAX] {
            t.note(count);
            let a = t.open();
            let body = Writer::new().string(&t.place("/x")).string("d").int(count).int(0);
            a.call(raw(OpCode::Create, body));
            a.exists("/x");
            let a = t.open();
            let body = Writer::new().long(0).int(count);
            a.call(raw(OpCode::SetWatches, body));
            a.exists("/x");
        }
    }));
    all
}

fn broken() -> Vec<Case> {
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("a length of 0", vec![0, 0, 0, 0]),
        ("a negative length", vec![0xff; 4]),
        ("the most negative length", vec![0x80, 0, 0, 0]),
        ("a huge length", vec![0x7f, 0xff, 0xff, 0xff]),
        ("an empty header", Writer::new().raw(&[0; 3]).into_frame()),
        ("half a header", Writer::new().int(1).into_frame()),
        ("a header cut short", Writer::new().int(1).raw(&[0, 0]).into_frame()),
        ("an HTTP request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("letters", b"hello, is anybody there?".to_vec()),
        ("a four letter word in a session", b"ruok".to_vec()),
        ("two bytes", vec![0, 0]),
    ];
    frames
        .into_iter()
        .map(|(name, bytes)| {
            case(format!("frame: {name}"), move |t| {
                let (a, b) = (t.open(), t.open());
                a.create("/e", "", EPHEMERAL);
                // Without a ping behind it: that would be taken for the rest of an incomplete one.
                a.fall_silent();
                a.send_bytes(name, &bytes);
                a.finish();
                b.exists("/e");
                b.create("/x", "", 0);
                if !a.is_open() {
                    a.reattach(0).exists("/e");
                }
            })
        })
        .collect()
}

/// First frames that are no good.
fn first() -> Vec<Case> {
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Writer::new().into_frame()),
        ("a length of 0 twice", vec![0; 8]),
        ("a negative length", vec![0xff; 4]),
        ("a huge length", vec![0x7f, 0xff, 0xff, 0xff]),
        ("too short", Writer::new().int(0).long(0).into_frame()),
        (
            "a password that ends too early",
            Writer::new().int(0).long(0).int(9000).long(0).int(16).into_frame(),
        ),
        (
            "a password of negative length",
            Writer::new().int(0).long(0).int(9000).long(0).int(-5).into_frame(),
        ),
        (
            "a request instead",
            Writer::new().int(1).int(OpCode::Exists.code()).string("/").bool(false).into_frame(),
        ),
        ("a ping instead", Writer::new().int(-2).int(OpCode::Ping.code()).into_frame()),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("nothing", vec![]),
        ("half a length", vec![0, 0]),
    ];
    let mut all: Vec<Case> = frames
        .into_iter()
        .map(|(name, bytes)| {
            case(format!("first frame: {name}"), move |t| {
                let a = t.connect_raw();
                a.send_bytes(name, &bytes);
                a.finish();
                t.open().exists("/");
            })
        })
        .collect();
    all.push(case("first frame: bytes behind its end", |t| {
        let a = t.connect_raw();
        a.send_bytes("connect with more", &new_session().write(Writer::new()).raw(b"and more").into_frame());
        a.read_connect_response(0);
        a.exists("/");
    }));
    all.push(case("first frame: a request sent with it", |t| {
        let a = t.connect_raw();
        let ping = Writer::new().int(-2).int(OpCode::Ping.code()).into_frame();
        a.send_bytes("connect", &[new_session().encode(), ping].concat());
        a.read_connect_response(0);
        a.collect();
    }));
    all.push(case("first frame: sent twice", |t| {
        let a = t.open();
        a.send_bytes("connect again", &new_session().encode());
        a.collect();
    }));
    all
}

/// A create whose frame has this length.
fn create_of(t: &crate::common::bench::Bench<'_>, length: usize) -> Request {
    let empty = Sent::from(create("/big", "", 0)).frame(0, &t.place("/")).len() - 4;
    create("/big", &"x".repeat(length - empty), 0)
}

fn sizes() -> Vec<Case> {
    vec![
        case("size: the largest frame", |t| {
            let a = t.open();
            a.call(create_of(t, LARGEST));
            a.exists("/big");
            a.get("/big");
        }),
        case("size: one byte more than the largest frame", |t| {
            let (a, b) = (t.open(), t.open());
            a.create("/e", "", EPHEMERAL);
            a.call(create_of(t, LARGEST + 1));
            b.children("/");
        }),
        case("size: two MiB", |t| {
            let (a, b) = (t.open(), t.open());
            a.call(create_of(t, 2 << 20));
            b.children("/");
        }),
        case("size: a long name", |t| {
            let a = t.open();
            let name = format!("/{}", "n".repeat(50_000));
            a.create(&name, "", 0);
            a.delete(&name);
        }),
    ]
}
