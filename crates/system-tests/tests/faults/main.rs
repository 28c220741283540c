//! Rows of the fault matrix on the real programs.
//!
//! A row is a function from programs to a verdict: it is run with the real programs, which must pass it,
//! and some with stand-ins that behave as the tutorial's server does, which must not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod address;
mod churn;
mod clients;
mod clock;
mod controls;
mod ensemble;
mod namespace;
mod network;
mod options;
mod output;
mod resolver;
mod rights;
mod servers;
mod sessions;
mod sockets;
mod support;
mod versions;
mod zookeeper;
