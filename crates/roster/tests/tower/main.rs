//! A tower service on top of the client, in virtual time.

#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod balanced;
mod connections;
mod discover;
mod web;
