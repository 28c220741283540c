//! ZooKeeper's client protocol as bytes: requests, replies and events, written and read, for clients and servers alike.
//!
//! The crate has no sockets, no sessions and no runtime: a frame goes in or comes out.
//!
//! ```
//! use zk_wire::{Framed, OpCode, Reader, ReplyHeader, Request, Response};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A client asks,
//! let request = Request::GetChildren { path: "/services".into(), watch: false };
//! let sent: Vec<u8> = Framed { xid: 7, request }.encode();
//! assert_eq!(sent, b"\0\0\0\x16\0\0\0\x07\0\0\0\x08\0\0\0\x09/services\0");
//!
//! // a server reads what it asks (without the length) and replies,
//! let Framed { xid, request } = Framed::decode(&sent[4..])?;
//! let reply = zk_wire::encode_reply(xid, 42, &Ok(Response::Strings(vec!["a".into()])));
//!
//! // and the client reads the reply.
//! let mut reader = Reader::new(&reply[4..]);
//! let header = ReplyHeader::read(&mut reader)?;
//! assert_eq!((header.xid, header.zxid), (7, 42));
//! let response = Response::read(OpCode::GetChildren, &mut reader)?;
//! assert_eq!(response, Response::Strings(vec!["a".into()]));
//! # Ok(())
//! # }
//! ```
//!
//! | to | from a client | from a server |
//! | --- | --- | --- |
//! | write | [`ConnectRequest::encode`], [`Framed::encode`] | [`ConnectResponse::encode`], [`encode_reply`], [`WatchEvent::encode`] |
//! | read | [`ConnectRequest::decode`], [`Framed::decode`] | [`ConnectResponse::decode`], [`ReplyHeader::read`], then [`Response::read`] or [`WatchEvent::read`] |
//! | split a stream | [`Frames`] | [`Frames`] |
//!
//! An encoded frame begins with its length; `decode` takes a frame without it. [`Writer`] and [`Reader`] are the primitives
//! below, for bytes that no client and no server would send.
//!
//! # Promises
//!
//! - Reading is total: whatever the bytes are, the outcome is a value or an error. Nothing panics and nothing recurses.
//! - What is allocated is in proportion to the bytes that are there, not to the lengths that they announce.
//! - Numbers without a name are kept: [`OpCode::Other`], [`ErrorCode::Other`], [`EventKind::Other`].
//!
//! # Limits
//!
//! - Op codes and records are those of ZooKeeper 3.8. The bodies of `reconfig` and `sasl` are checked, not kept.
//! - Strings that are not UTF-8 are read with U+FFFD in place of the bytes, as Java does.
//! - A frame that is written has less than 2 GiB; a longer one panics.

mod acl;
mod codes;
mod connect;
mod error_code;
mod event;
mod frames;
mod multi;
mod op_code;
mod reader;
mod request;
mod response;
mod stat;
mod writer;
pub mod xid;

#[cfg(test)]
mod tests;

pub use acl::{Acl, permission};
pub use connect::{ConnectRequest, ConnectResponse};
pub use error_code::ErrorCode;
pub use event::{EventKind, WatchEvent};
pub use frames::{BadLength, Frames};
pub use multi::MultiHeader;
pub use op_code::OpCode;
pub use reader::{Malformed, Reader};
pub use request::{CreateKind, DecodeError, Framed, Request};
pub use response::{MultiResult, ReplyHeader, Response, encode_reply};
pub use stat::Stat;
pub use writer::Writer;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
