//! The protocol: its words, and how they look on the wire.
//!
//! Reading is total: whatever the bytes are, the answer is a value or an error, and what is allocated is in proportion to
//! the bytes that are there, not to the lengths they announce.

mod decode;
mod encode;
mod op;
mod reader;
mod types;
mod writer;

#[cfg(test)]
mod tests;

pub use decode::{DecodeError, decode_connect, decode_request};
pub use encode::{encode_connected, encode_event, encode_reply};
pub use types::*;
