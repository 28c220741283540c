//! [`ServiceHealth`]: the verdict of a check.

use std::fmt;

/// The verdict on a service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceHealth {
    /// No check has ended yet.
    Unknown,
    /// It is healthy, or nothing checks it.
    Healthy,
    /// It is sick, for this reason.
    Sick(String),
}

impl fmt::Display for ServiceHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not checked yet"),
            Self::Healthy => f.write_str("healthy"),
            Self::Sick(reason) => write!(f, "sick: {reason}"),
        }
    }
}
