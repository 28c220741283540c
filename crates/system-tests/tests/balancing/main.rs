//! What failing servers cost the callers of the others, on the real programs.
//!
//! Each test states a bound for the rounds of `daytime-client` that are lost or take longer. The default run has small
//! fleets, shortened timeouts and three strategies; `FAULTS=all` has all of them at the default timeouts. ZooKeeper has no
//! part in this, so it is the embedded one, whatever `ZK_TEST_SERVER` says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod asking;
mod chaos;
mod fleet;
mod hung;
mod timeouts;
mod world;
