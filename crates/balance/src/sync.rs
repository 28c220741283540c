//! The atomics of the crate's lock-free parts.
//!
//! They are named in this one place so that `tests/loom.rs`, which includes the files of those parts, can put loom's in
//! their place and try every interleaving.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
