//! [`DiscoveryConfigError`], and the check of one value.

use std::fmt::Debug;
use std::ops::RangeInclusive;

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {value} is out of range; expected {min} to {max}")]
pub struct DiscoveryConfigError {
    what: &'static str,
    value: String,
    min: String,
    max: String,
}

/// Returns a value that is within its range.
pub(super) fn check<T: PartialOrd + Debug>(
    what: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<T, DiscoveryConfigError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let [value, min, max] = [&value, range.start(), range.end()].map(|value| format!("{value:?}"));
    Err(DiscoveryConfigError { what, value, min, max })
}
