mod corpus;
mod golden;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

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
    let kind = prop_oneof![
        Just(CreateKind::Create),
        Just(CreateKind::Create2),
        Just(CreateKind::Container),
        Just(CreateKind::Ttl)
    ];
    (kind, path(), data(), acls(), any::<i32>(), any::<i64>()).prop_map(
        |(kind, path, data, acl, flags, ttl)| Request::Create {
            kind,
            path,
            data,
            acl,
            flags,
            ttl: if kind == CreateKind::Ttl { ttl } else { 0 },
        },
    )
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
        prop_oneof![Just(0), Just(10), 23..100, 200..i32::MAX]
            .prop_map(|code| Request::Unknown { op_code: code.into() }),
    ]
}

fn stat() -> impl Strategy<Value = Stat> {
    let longs = (any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>());
    let ints = (any::<i32>(), any::<i32>(), any::<i32>(), any::<i32>(), any::<i32>());
    (longs, ints).prop_map(|(longs, ints)| {
        let (czxid, mzxid, ctime, mtime, ephemeral_owner, pzxid) = longs;
        let (version, cversion, aversion, data_length, num_children) = ints;
        Stat {
            czxid,
            mzxid,
            ctime,
            mtime,
            version,
            cversion,
            aversion,
            ephemeral_owner,
            data_length,
            num_children,
            pzxid,
        }
    })
}

fn multi_result() -> impl Strategy<Value = MultiResult> {
    prop_oneof![
        path().prop_map(MultiResult::Create),
        (path(), stat()).prop_map(|(path, stat)| MultiResult::Create2(path, stat)),
        Just(MultiResult::Delete),
        stat().prop_map(MultiResult::SetData),
        Just(MultiResult::Check),
        (data(), stat()).prop_map(|(data, stat)| MultiResult::Data(data, stat)),
        paths().prop_map(MultiResult::Children),
        any::<i32>().prop_map(|code| MultiResult::Error(code.into())),
    ]
}

/// A response, and an op code to which it is one.
fn any_response() -> impl Strategy<Value = (OpCode, Response)> {
    let of = |op_code| move |response| (op_code, response);
    let acl = acls().prop_map(Option::unwrap_or_default);
    prop_oneof![
        Just((OpCode::Delete, Response::Empty)),
        path().prop_map(Response::Path).prop_map(of(OpCode::Create)),
        (path(), stat()).prop_map(|(path, stat)| (OpCode::CreateTtl, Response::PathStat(path, stat))),
        stat().prop_map(Response::Stat).prop_map(of(OpCode::SetAcl)),
        (data(), stat()).prop_map(|(data, stat)| (OpCode::GetData, Response::Data(data, stat))),
        (acl, stat()).prop_map(|(acl, stat)| (OpCode::GetAcl, Response::Acl(acl, stat))),
        paths().prop_map(Response::Strings).prop_map(of(OpCode::GetEphemerals)),
        (paths(), stat()).prop_map(|(names, stat)| (OpCode::GetChildren2, Response::Children(names, stat))),
        path().prop_map(Response::Synced).prop_map(of(OpCode::Sync)),
        any::<i32>().prop_map(Response::Number).prop_map(of(OpCode::AddWatch)),
        vec((path(), path()), 0..4).prop_map(Response::Users).prop_map(of(OpCode::WhoAmI)),
        vec(multi_result(), 0..5).prop_map(Response::Multi).prop_map(of(OpCode::Multi)),
        vec(multi_result(), 0..5).prop_map(Response::MultiRead).prop_map(of(OpCode::MultiRead)),
    ]
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(xid: i32, request in any_request(), trailing in vec(any::<u8>(), 0..9)) {
        let framed = Framed { xid, request };
        let mut bytes = framed.encode().split_off(4);
        bytes.extend(trailing);
        prop_assert_eq!(Framed::decode(&bytes), Ok(framed));
    }

    #[test]
    fn a_request_without_its_end_is_malformed_and_never_another_request(
        request in any_request(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = Framed { xid: 7, request: request.clone() }.encode().split_off(4);
        prop_assume!(bytes.len() > 8);
        let decoded = Framed::decode(&bytes[..cut.index(bytes.len())]);
        match decoded {
            Err(DecodeError::Header | DecodeError::Auth) => {}
            Ok(Framed { xid, request: Request::Malformed { .. } }) => prop_assert_eq!(xid, 7),
            other => prop_assert!(false, "{:?} became {:?}", request, other),
        }
    }

    #[test]
    fn a_response_is_read_as_it_was_written((op_code, response) in any_response(), trailing in vec(any::<u8>(), 0..9)) {
        let bytes = response.write(Writer::new()).raw(&trailing).into_body();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(Response::read(op_code, &mut reader), Ok(response));
        prop_assert_eq!(reader.rest(), &trailing);
    }

    #[test]
    fn an_event_is_read_as_it_was_written(kind: i32, path in path()) {
        let event = WatchEvent { kind: kind.into(), path };
        let frame = event.encode();
        let mut reader = Reader::new(&frame[4..]);
        let header = ReplyHeader { xid: xid::EVENT, zxid: -1, code: ErrorCode::Ok };
        prop_assert_eq!(ReplyHeader::read(&mut reader), Ok(header));
        prop_assert_eq!(WatchEvent::read(&mut reader), Ok(event));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..2048)) {
        let _ = Framed::decode(&bytes);
        let _ = ConnectRequest::decode(&bytes);
        let _ = ConnectResponse::decode(&bytes);
        let _ = WatchEvent::read(&mut Reader::new(&bytes));
        let mut frames = Frames::new(1024);
        frames.buffer().extend(&bytes);
        while let Ok(Some(_)) = frames.next() {}
    }

    #[test]
    fn arbitrary_bodies_of_every_op_never_panic(op in -12i32..110, bytes in vec(any::<u8>(), 0..512)) {
        let frame = [&1i32.to_be_bytes()[..], &op.to_be_bytes(), &bytes].concat();
        let _ = Framed::decode(&frame);
        let _ = Response::read(op.into(), &mut Reader::new(&bytes));
    }

    #[test]
    fn connect_requests_are_read_with_and_without_the_read_only_flag(
        last_zxid_seen: i64,
        timeout_ms: i32,
        session_id: i64,
        password in option::of(vec(any::<u8>(), 0..32)),
        read_only: Option<bool>,
    ) {
        let request =
            ConnectRequest { protocol_version: 0, last_zxid_seen, timeout_ms, session_id, password, read_only };
        prop_assert_eq!(ConnectRequest::decode(&request.encode()[4..]), Ok(request));
    }
}

#[test]
fn a_huge_count_allocates_no_more_than_the_frame_has_items_for() {
    for op_code in [OpCode::SetWatches, OpCode::SetWatches2] {
        let body = [&[0; 8][..], &i32::MAX.to_be_bytes(), &[0; 64]].concat();
        assert_eq!(decode_body(op_code, &body), Ok(Request::Malformed { op_code }));
    }
    let endless_acl = [&[0, 0, 0, 0][..], &[0; 4], &i32::MAX.to_be_bytes()].concat();
    assert_eq!(decode_body(OpCode::Create, &endless_acl), Ok(Request::Malformed { op_code: OpCode::Create }));
}

#[test]
fn huge_and_negative_lengths_are_malformed() {
    for length in [i32::MAX, i32::MIN, -2, 5] {
        let body = [&length.to_be_bytes()[..], b"/a\0\0"].concat();
        assert_eq!(
            decode_body(OpCode::GetData, &body),
            Ok(Request::Malformed { op_code: OpCode::GetData }),
            "{length}"
        );
    }
}

#[test]
fn a_multi_in_a_multi_is_malformed_so_nothing_nests() {
    let mut body = Vec::new();
    for _ in 0..100_000 {
        body.extend([0, 0, 0, 14, 0, 255, 255, 255, 255]);
    }
    assert_eq!(decode_body(OpCode::Multi, &body), Ok(Request::Malformed { op_code: OpCode::Multi }));
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
        let decoded = Framed::decode(&Framed { xid: 1, request }.encode()[4..]).expect("it has a header");
        assert!(matches!(decoded.request, Request::Malformed { .. }), "{decoded:?}");
    }
}

#[test]
fn invalid_utf8_is_read_with_replacement_characters() {
    let body = [0, 0, 0, 2, b'/', 0xff, 0];
    let path = "/\u{fffd}".to_owned();
    assert_eq!(decode_body(OpCode::GetData, &body), Ok(Request::GetData { path, watch: false }));
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
        WatchEvent { kind: EventKind::ChildrenChanged, path: "/a".into() }.encode(),
        b"\0\0\0\x1e\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\x04\0\0\0\x03\0\0\0\x02/a"
    );
}

#[test]
fn only_a_client_that_sends_the_read_only_flag_gets_one() {
    let mut response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 10_000,
        session_id: 5,
        password: vec![9; 16],
        read_only: None,
    };
    assert_eq!(response.encode().len(), 4 + 36);
    response.read_only = Some(false);
    assert_eq!(response.encode().len(), 4 + 37);
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

fn decode_body(op_code: OpCode, body: &[u8]) -> Result<Request, DecodeError> {
    let frame = [&1i32.to_be_bytes()[..], &op_code.code().to_be_bytes(), body].concat();
    Framed::decode(&frame).map(|framed| framed.request)
}

#[test]
fn a_vector_of_items_without_bytes_is_malformed() {
    let bytes = i32::MAX.to_be_bytes();
    assert_eq!(Reader::new(&bytes).vector(|_| Ok(())), Err(Malformed));
}

#[test]
fn each_code_has_one_name() {
    for code in -200..200 {
        assert_eq!(OpCode::from(code).code(), code);
        assert_eq!(ErrorCode::from(code).code(), code);
        assert_eq!(EventKind::from(code).code(), code);
    }
    assert_eq!((OpCode::from(106), OpCode::from(777)), (OpCode::AddWatch, OpCode::Other(777)));
    assert_eq!([OpCode::CreateTtl.to_string(), OpCode::Other(777).to_string()], ["createTTL", "op 777"]);
    assert_eq!(
        [ErrorCode::NoNode, ErrorCode::Other(-42)].map(|code| code.to_string()),
        ["NONODE", "code -42"]
    );
}

#[test]
fn a_request_names_its_paths_in_their_order() {
    let (data, exist, child) = (vec!["/d".into()], vec![], vec!["/c".into(), "/e".into()]);
    let mut request = Request::SetWatches { relative_zxid: 1, data, exist, child };
    assert_eq!(request.paths(), ["/d", "/c", "/e"]);
    for path in request.paths_mut() {
        path.insert_str(0, "/root");
    }
    let delete = Request::Delete { path: "/x".into(), version: -1 };
    let multi = Request::Multi { operations: vec![request, Request::Ping, delete] };
    assert_eq!(multi.paths(), ["/root/d", "/root/c", "/root/e", "/x"]);
}
