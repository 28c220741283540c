//! Frames that no client should send: what they cost, and that they cost no more than the connection.

use super::{Case, EPHEMERAL, case};
use crate::common::bench::Hello;
use crate::common::request::{Request, bare, create, op_name, open};
use crate::common::wire::{Out, op};

/// The largest frame that is taken.
const LARGEST: usize = 0xf_ffff;

pub(super) fn cases() -> Vec<Case> {
    let mut all = unknown();
    all.push(sasl());
    all.extend(bodies());
    all.extend(raw());
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
            a.call(bare(code));
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
            a.call(Request::Raw { op: 102, body: Out::default().bytes(token).body() });
            a.create("/x", "", 0);
        }
    })
}

/// Known ops with bodies that are too short, too long, or nonsense.
fn bodies() -> Vec<Case> {
    let ops = [
        op::CREATE,
        op::DELETE,
        op::EXISTS,
        op::GET_DATA,
        op::SET_DATA,
        op::GET_ACL,
        op::SET_ACL,
        op::GET_CHILDREN,
        op::SYNC,
        op::GET_CHILDREN2,
        op::CHECK,
        op::CREATE2,
        op::CHECK_WATCHES,
        op::REMOVE_WATCHES,
        op::CREATE_CONTAINER,
        op::CREATE_TTL,
        op::MULTI_READ,
        op::AUTH,
        op::SET_WATCHES,
        op::GET_EPHEMERALS,
        op::GET_ALL_CHILDREN_NUMBER,
        op::SET_WATCHES2,
        op::ADD_WATCH,
    ];
    let bodies = [
        ("without a body", Out::default()),
        ("with half a length", Out::default().raw(&[0, 0])),
        ("with a path that ends too early", Out::default().int(100).raw(b"/x")),
        ("with a negative length", Out::default().int(-7)),
        ("with a null path", Out::default().int(-1)),
        ("with a huge length", Out::default().int(i32::MAX)),
    ];
    let mut all = Vec::new();
    for (name, body) in bodies {
        let body = body.body();
        all.push(case(format!("frame: {name}"), move |t| {
            let b = t.open();
            b.create("/x", "", 0);
            for op in ops {
                t.note(op_name(op));
                let a = t.open();
                a.call(Request::Raw { op, body: body.clone() });
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
        let read = Out::default().text(&path).flag(false).raw(b"and more").body();
        a.call(Request::Raw { op: op::GET_DATA, body: read });
        let body =
            Out::default().text(&t.place("/y")).text("d").acls(Some(&open())).int(0).raw(b"more").body();
        a.call(Request::Raw { op: op::CREATE, body });
        a.call(Request::Raw { op: op::PING, body: b"ping with a body".to_vec() });
        a.call(Request::Raw { op: op::WHO_AM_I, body: b"body".to_vec() });
        a.exists("/y");
    }));
    all.push(case("frame: flags that are neither 0 nor 1", |t| {
        let (a, b) = (t.open(), t.open());
        b.create("/x", "", 0);
        for flag in [2_u8, 255, 128] {
            let body = Out::default().text(&t.place("/x")).raw(&[flag]).body();
            a.call(Request::Raw { op: op::GET_DATA, body });
            b.set("/x", "1");
        }
    }));
    all.push(case("frame: a path that is no UTF-8", |t| {
        let a = t.open();
        let path = [t.place("/").as_bytes(), b"/\xff\xfe"].concat();
        let body = Out::default().bytes(Some(&path)).flag(false).body();
        a.call(Request::Raw { op: op::EXISTS, body });
        let body = Out::default().bytes(Some(&path)).text("d").acls(Some(&open())).int(0).body();
        a.call(Request::Raw { op: op::CREATE, body });
        a.exists("/");
    }));
    all.push(case("frame: counts of lists that lie", |t| {
        for count in [-1, -2, 5, i32::MAX] {
            t.note(count);
            let a = t.open();
            let body = Out::default().text(&t.place("/x")).text("d").int(count).int(0).body();
            a.call(Request::Raw { op: op::CREATE, body });
            a.exists("/x");
            let a = t.open();
            let body = Out::default().long(0).int(count).body();
            a.call(Request::Raw { op: op::SET_WATCHES, body });
            a.exists("/x");
        }
    }));
    all
}

fn raw() -> Vec<Case> {
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("a length of 0", vec![0, 0, 0, 0]),
        ("a negative length", vec![0xff; 4]),
        ("the most negative length", vec![0x80, 0, 0, 0]),
        ("a huge length", vec![0x7f, 0xff, 0xff, 0xff]),
        ("an empty header", Out::default().raw(&[0; 3]).frame()),
        ("half a header", Out::default().int(1).frame()),
        ("a header cut short", Out::default().int(1).raw(&[0, 0]).frame()),
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
                a.garbage(name, &bytes);
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
        ("empty", Out::default().frame()),
        ("a length of 0 twice", vec![0; 8]),
        ("a negative length", vec![0xff; 4]),
        ("a huge length", vec![0x7f, 0xff, 0xff, 0xff]),
        ("too short", Out::default().int(0).long(0).frame()),
        ("a password that ends too early", Out::default().int(0).long(0).int(9000).long(0).int(16).frame()),
        ("a password of negative length", Out::default().int(0).long(0).int(9000).long(0).int(-5).frame()),
        ("a request instead", Out::default().int(1).int(op::EXISTS).text("/").flag(false).frame()),
        ("a ping instead", Out::default().int(-2).int(op::PING).frame()),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("nothing", vec![]),
        ("half a length", vec![0, 0]),
    ];
    let mut all: Vec<Case> = frames
        .into_iter()
        .map(|(name, bytes)| {
            case(format!("first frame: {name}"), move |t| {
                let a = t.connect_raw();
                a.garbage(name, &bytes);
                a.finish();
                t.open().exists("/");
            })
        })
        .collect();
    all.push(case("first frame: bytes behind its end", |t| {
        let a = t.connect_raw();
        a.garbage("connect with more", &Hello::default().body().raw(b"and more").frame());
        a.welcome(0);
        a.exists("/");
    }));
    all.push(case("first frame: a request sent with it", |t| {
        let a = t.connect_raw();
        let ping = Out::default().int(-2).int(op::PING).frame();
        a.garbage("connect", &[Hello::default().body().frame(), ping].concat());
        a.welcome(0);
        a.collect();
    }));
    all.push(case("first frame: sent twice", |t| {
        let a = t.open();
        a.garbage("connect again", &Hello::default().body().frame());
        a.collect();
    }));
    all
}

/// A create whose frame has a given length.
fn create_of(t: &crate::common::bench::Bench<'_>, length: usize) -> Request {
    let empty = create("/big", "", 0).encode(&t.place("/"), Out::default().int(0).int(0)).body().len();
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
