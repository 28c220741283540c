//! What the suites share: a client of the protocol, the bench that a case runs on, the servers, and the comparison.

pub(crate) mod bench;
pub(crate) mod compare;
mod frame_stream;
mod masks;
pub(crate) mod request;
pub(crate) mod target;
