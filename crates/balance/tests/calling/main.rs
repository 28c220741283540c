//! Calls that try other endpoints, in paused time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod chaos;
mod common;
mod evidence;
mod hedging;
mod limits;
mod probing;
mod retries;
mod rounds;
mod strategies;
mod threads;
mod trials;
