//! Programs of earlier versions of this project and of this one, mixed: they read each other, take over from each other,
//! and leave.
//!
//! `programs.rs` runs programs of an earlier version, where somebody has built them. Everywhere else they are recorded traffic,
//! in the folder `recorded`: what `daytime-server` and `daytime-client` sent to an Apache ZooKeeper 3.8.0, and what came back.
//! That version deregistered by a plain delete.
//!
//! * `server.txt`: a server registers three ports, and is stopped.
//! * `take-over.txt`: a server finds the znode of its killed predecessor, takes it over, and is stopped.
//! * `reader-*.txt`: a client follows names, or records, by a recursive watch or by one-shot ones, while an instance comes,
//!   is written and leaves.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod programs;
mod readers;
mod recording;
mod replay;
mod servers;
