//! When a record was made.

use std::fmt;
use std::time::Duration;

/// A record's place in the history, and its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) index: usize,
    pub(crate) at: Duration,
}

/// A time for people: `12.345 s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secs(pub(crate) Duration);

impl fmt::Display for Secs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0.as_secs_f64())
    }
}
