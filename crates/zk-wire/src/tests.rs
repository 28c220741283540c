mod corpus;
mod write;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use write::{body, frame};

fn acls() -> impl Strategy<Value = Option<Vec<Acl>>> {
    let acl = (any::<i32>(), ".{0,8}", ".{0,8}").prop_map(|(permissions, scheme, id)| Acl {
        permissions,
        scheme,
        id,
    });
    option::of(vec(acl, 0..4))
}

fn data() -> impl Strategy<Value = Option<Vec<u8>>> {
    option::of(vec(any::<u8>(), 0..64))
}

fn path() -> impl Strategy<Value = String> {
    ".{0,24}"
}

fn paths() -> impl Strategy<Value = Vec<String>> {
    vec(path(), 0..4)
}

fn create() -> impl Strategy<Value = Request> {
    let op = prop_oneof![
        Just(CreateOp::Create),
        Just(CreateOp::Create2),
        Just(CreateOp::Container),
        Just(CreateOp::Ttl)
    ];
    (op, path(), data(), acls(), any::<i32>(), any::<i64>()).prop_map(|(op, path, data, acl, flags, ttl)| {
        Request::Create { op, path, data, acl, flags, ttl: if op == CreateOp::Ttl { ttl } else { 0 } }
    })
}

fn write_op() -> impl Strategy<Value = Request> {
    prop_oneof![
        create(),
        (path(), any::<i32>()).prop_map(|(path, version)| Request::Delete { path, version }),
        (path(), data(), any::<i32>()).prop_map(|(path, data, version)| Request::SetData {
            path,
            data,
            version
        }),
        (path(), any::<i32>()).prop_map(|(path, version)| Request::Check { path, version }),
    ]
}

fn read_op() -> impl Strategy<Value = Request> {
    prop_oneof![
        (path(), any::<bool>()).prop_map(|(path, watch)| Request::GetData { path, watch }),
        (path(), any::<bool>()).prop_map(|(path, watch)| Request::GetChildren { path, watch }),
    ]
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        write_op(),
        read_op(),
        vec(write_op(), 0..5).prop_map(|operations| Request::Multi { operations }),
        vec(read_op(), 0..5).prop_map(|operations| Request::MultiRead { operations }),
        (path(), any::<bool>()).prop_map(|(path, watch)| Request::Exists { path, watch }),
        (path(), any::<bool>()).prop_map(|(path, watch)| Request::GetChildren2 { path, watch }),
        path().prop_map(|path| Request::GetAcl { path }),
        (path(), acls(), any::<i32>()).prop_map(|(path, acl, version)| Request::SetAcl {
            path,
            acl,
            version
        }),
        path().prop_map(|path| Request::Sync { path }),
        path().prop_map(|prefix| Request::GetEphemerals { prefix }),
        path().prop_map(|path| Request::GetAllChildrenNumber { path }),
        (any::<i32>(), path(), data()).prop_map(|(kind, scheme, data)| Request::Auth { kind, scheme, data }),
        (path(), any::<i32>()).prop_map(|(path, mode)| Request::AddWatch { path, mode }),
        (path(), any::<i32>()).prop_map(|(path, kind)| Request::CheckWatches { path, kind }),
        (path(), any::<i32>()).prop_map(|(path, kind)| Request::RemoveWatches { path, kind }),
        (any::<i64>(), paths(), paths(), paths()).prop_map(|(relative_zxid, data, exist, child)| {
            Request::SetWatches { relative_zxid, data, exist, child }
        }),
        (any::<i64>(), paths(), paths(), paths(), paths(), paths()).prop_map(
            |(relative_zxid, data, exist, child, persistent, persistent_recursive)| Request::SetWatches2 {
                relative_zxid,
                data,
                exist,
                child,
                persistent,
                persistent_recursive
            }
        ),
        Just(Request::Ping),
        Just(Request::WhoAmI),
        Just(Request::CloseSession),
        prop_oneof![Just(0), Just(10), 23..100, 200..i32::MAX].prop_map(|op| Request::Unknown { op }),
    ]
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(xid: i32, request in any_request(), trailing in vec(any::<u8>(), 0..9)) {
        let framed = Framed { xid, request };
        let mut bytes = frame(&framed);
        bytes.extend(trailing);
        prop_assert_eq!(decode_request(&bytes), Ok(framed));
    }

    #[test]
    fn a_frame_cut_short_is_malformed_or_an_error_and_never_another_request(
        request in any_request(),
        cut in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!body(&request).is_empty());
        let bytes = frame(&Framed { xid: 7, request: request.clone() });
        let decoded = decode_request(&bytes[..cut.index(bytes.len())]);
        match decoded {
            Err(DecodeError::Header | DecodeError::Auth) => {}
            Ok(Framed { xid, request: Request::Malformed { .. } }) => prop_assert_eq!(xid, 7),
            other => prop_assert!(false, "{:?} became {:?}", request, other),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..2048)) {
        let _ = decode_request(&bytes);
        let _ = decode_connect(&bytes);
    }

    #[test]
    fn arbitrary_bodies_of_every_op_never_panic(op in -12i32..110, bytes in vec(any::<u8>(), 0..512)) {
        let frame = [&1i32.to_be_bytes()[..], &op.to_be_bytes(), &bytes].concat();
        let _ = decode_request(&frame);
    }

    #[test]
    fn connect_requests_are_read_with_and_without_the_read_only_flag(
        last_zxid_seen: i64,
        timeout_ms: i32,
        session_id: i64,
        password in vec(any::<u8>(), 0..32),
        read_only: Option<bool>,
    ) {
        let request =
            ConnectRequest { protocol_version: 0, last_zxid_seen, timeout_ms, session_id, password, read_only };
        prop_assert_eq!(decode_connect(&write::connect(&request)), Ok(request));
    }
}

#[test]
fn a_huge_count_allocates_no_more_than_the_frame_has_items_for() {
    for op in [op::SET_WATCHES, op::SET_WATCHES2] {
        let body = [&[0; 8][..], &i32::MAX.to_be_bytes(), &[0; 64]].concat();
        assert_eq!(decode_op(op, &body), Ok(Request::Malformed { op }));
    }
    let endless_acl = [&[0, 0, 0, 0][..], &[0; 4], &i32::MAX.to_be_bytes()].concat();
    assert_eq!(decode_op(op::CREATE, &endless_acl), Ok(Request::Malformed { op: op::CREATE }));
}

#[test]
fn huge_and_negative_lengths_are_malformed() {
    for length in [i32::MAX, i32::MIN, -2, 5] {
        let body = [&length.to_be_bytes()[..], b"/a\0\0"].concat();
        assert_eq!(decode_op(op::GET_DATA, &body), Ok(Request::Malformed { op: op::GET_DATA }), "{length}");
    }
}

#[test]
fn a_multi_in_a_multi_is_malformed_so_nothing_nests() {
    let mut body = Vec::new();
    for _ in 0..100_000 {
        body.extend([0, 0, 0, 14, 0, 255, 255, 255, 255]);
    }
    assert_eq!(decode_op(op::MULTI, &body), Ok(Request::Malformed { op: op::MULTI }));
}

#[test]
fn reads_and_writes_do_not_mix_in_a_multi() {
    let read = Request::GetData { path: "/a".into(), watch: false };
    let write = Request::Delete { path: "/a".into(), version: -1 };
    for request in [
        Request::Multi { operations: vec![read.clone()] },
        Request::Multi { operations: vec![write.clone(), read.clone()] },
        Request::MultiRead { operations: vec![read, write] },
    ] {
        let decoded = decode_request(&frame(&Framed { xid: 1, request })).expect("it has a header");
        assert!(matches!(decoded.request, Request::Malformed { .. }), "{decoded:?}");
    }
}

#[test]
fn strings_that_are_no_utf8_are_read_with_replacements() {
    let body = [0, 0, 0, 2, b'/', 0xff, 0];
    let path = "/\u{fffd}".to_owned();
    assert_eq!(decode_op(op::GET_DATA, &body), Ok(Request::GetData { path, watch: false }));
}

#[test]
fn a_reply_has_the_bytes_of_the_wire() {
    assert_eq!(
        encode_reply(1, 2, &Ok(Response::Path("/e".into()))),
        b"\0\0\0\x16\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x02/e"
    );
    assert_eq!(
        encode_reply(4, 3, &Err(ErrorCode::MarshallingError)),
        b"\0\0\0\x10\0\0\0\x04\0\0\0\0\0\0\0\x03\xff\xff\xff\xfb"
    );
    assert_eq!(
        encode_reply(42, 0x25, &Ok(Response::Multi(vec![]))),
        b"\0\0\0\x19\0\0\0\x2a\0\0\0\0\0\0\0\x25\0\0\0\0\xff\xff\xff\xff\x01\xff\xff\xff\xff"
    );
}

#[test]
fn an_event_has_the_bytes_of_the_wire() {
    assert_eq!(
        encode_event(&WatchEvent { kind: EventKind::ChildrenChanged, path: "/a".into() }),
        b"\0\0\0\x1e\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\x04\0\0\0\x03\0\0\0\x02/a"
    );
}

#[test]
fn the_read_only_flag_is_answered_only_to_those_who_send_it() {
    let mut response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 10_000,
        session_id: 5,
        password: vec![9; 16],
        read_only: None,
    };
    assert_eq!(encode_connected(&response).len(), 4 + 36);
    response.read_only = Some(false);
    assert_eq!(encode_connected(&response).len(), 4 + 37);
}

#[test]
fn the_results_of_a_multi_are_framed_one_by_one() {
    let results = vec![
        MultiResult::Create("/a".into()),
        MultiResult::Delete,
        MultiResult::Check,
        MultiResult::Error(ErrorCode::NoNode),
    ];
    let reply = encode_reply(1, 2, &Ok(Response::Multi(results)));
    let header =
        |op: i32, done: u8, error: i32| [&op.to_be_bytes()[..], &[done], &error.to_be_bytes()].concat();
    let expected = [
        &header(1, 0, 0)[..],
        b"\0\0\0\x02/a",
        &header(2, 0, 0),
        &header(13, 0, 0),
        &header(-1, 0, -101),
        &(-101i32).to_be_bytes(),
        &header(-1, 1, -1),
    ]
    .concat();
    assert_eq!(reply[20..], expected);
}

fn decode_op(op: i32, body: &[u8]) -> Result<Request, DecodeError> {
    let frame = [&1i32.to_be_bytes()[..], &op.to_be_bytes(), body].concat();
    decode_request(&frame).map(|framed| framed.request)
}
