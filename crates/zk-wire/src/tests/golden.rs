//! Bytes of real exchanges: what Apache ZooKeeper's own Java client 3.8.0 sent, and what its server 3.8.0 sent back.
//!
//! `exchanges.txt` has two lines for each frame: what it is and its bytes, and how it reads. Each has to be read so, and to
//! be written as those bytes.

use std::fmt::Debug;

use crate::{
    ConnectRequest, ConnectResponse, ErrorCode, Framed, OpCode, Reader, ReplyHeader, Response, WatchEvent,
    encode_reply,
};

const EXCHANGES: &str = include_str!("exchanges.txt");

#[test]
fn real_frames_are_read_and_written_as_they_are() {
    let lines: Vec<&str> = EXCHANGES.lines().collect();
    assert!(lines.len() >= 100, "only {} lines", lines.len());
    for pair in lines.chunks(2) {
        let &[frame, reads] = pair else { panic!("half a pair: {pair:?}") };
        let (kind, hex) = frame.rsplit_once(' ').expect("a kind and bytes");
        let bytes = bytes(hex);
        let (read, written) = through(kind, &bytes[4..]);
        assert_eq!(format!("    {read}"), reads, "{frame}");
        assert_eq!(written, bytes, "{frame}");
    }
}

/// Reads a frame without its length, and writes it again with it.
fn through(kind: &str, body: &[u8]) -> (String, Vec<u8>) {
    match kind.split_once(' ') {
        None if kind == "connect" => shown(ConnectRequest::decode(body), ConnectRequest::encode),
        None if kind == "connected" => shown(ConnectResponse::decode(body), ConnectResponse::encode),
        None if kind == "request" => shown(Framed::decode(body), Framed::encode),
        None if kind == "event" => {
            let mut reader = Reader::new(body);
            ReplyHeader::read(&mut reader).expect("a header");
            shown(WatchEvent::read(&mut reader), WatchEvent::encode)
        }
        Some(("reply", code)) => reply(code.parse::<i32>().expect("an op code").into(), body),
        _ => panic!("unknown kind {kind}"),
    }
}

fn shown<T: Debug, E: Debug>(value: Result<T, E>, encode: impl Fn(&T) -> Vec<u8>) -> (String, Vec<u8>) {
    let value = value.expect("it can be read");
    (format!("{value:?}"), encode(&value))
}

fn reply(op_code: OpCode, body: &[u8]) -> (String, Vec<u8>) {
    let mut reader = Reader::new(body);
    let header = ReplyHeader::read(&mut reader).expect("a header");
    let result = match header.code {
        ErrorCode::Ok => Ok(Response::read(op_code, &mut reader).expect("it can be read")),
        code => Err(code),
    };
    assert!(reader.rest().is_empty(), "{:?} is left", reader.rest());
    (format!("{header:?} {result:?}"), encode_reply(header.xid, header.zxid, &result))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}
