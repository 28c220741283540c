//! The table of cases.

mod access;
mod creating;
mod frames;
mod multi;
mod persistent;
mod plain;
mod sessions;
mod set_watches;
pub(crate) mod timed;
mod tree;
mod watches;

use crate::common::bench::Bench;

/// Flags of a create.
pub(crate) const EPHEMERAL: i32 = 1;
pub(crate) const SEQUENTIAL: i32 = 2;
pub(crate) const EPHEMERAL_SEQUENTIAL: i32 = 3;

/// A script with a name.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) script: Box<dyn Fn(&Bench<'_>) + Send + Sync>,
}

fn case(name: impl Into<String>, script: impl Fn(&Bench<'_>) + Send + Sync + 'static) -> Case {
    Case { name: name.into(), script: Box::new(script) }
}

/// Returns the cases for a server with extended types; those that look at the whole tree are last.
pub(crate) fn all() -> Vec<Case> {
    [
        creating::cases(),
        plain::cases(),
        access::cases(),
        multi::cases(),
        watches::cases(),
        persistent::cases(),
        set_watches::cases(),
        sessions::cases(),
        frames::cases(),
        tree::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
