//! gRPC through the client, over loopback, with servers of tonic and with HTTP/2 by hand.

#![cfg(feature = "tonic")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod by_hand;
mod connections;
mod server;
mod streams;
mod unary;
mod world;
