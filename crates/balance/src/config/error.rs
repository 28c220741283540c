//! What is wrong with a configuration.

use std::time::Duration;

use thiserror::Error;

/// The longest time that is taken: beyond it, one would rather restart the caller.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(3600);

/// A number out of range.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum BalancerConfigError {
    /// The first ejection is too short.
    #[error("the first ejection lasts {base:?}, expected at least 1ms")]
    EjectionBase {
        /// How long the first ejection would last.
        base: Duration,
    },
    /// The longest ejection is out of range.
    #[error("the longest ejection lasts {cap:?}, expected {base:?} (the first one) to 1h")]
    EjectionCap {
        /// How long the first ejection lasts.
        base: Duration,
        /// How long the longest one would last.
        cap: Duration,
    },
    /// A number of failures in a row that the window of outcomes cannot hold, or that ejects without a failure.
    #[error("{count} failures in a row eject, expected 1 to 32")]
    Failures {
        /// The number.
        count: u32,
    },
    /// A share that is none.
    #[error("the {what} is {share}, expected 0 to 1")]
    Share {
        /// What it is the share of.
        what: &'static str,
        /// The share.
        share: f64,
    },
    /// A subset without members.
    #[error("the subset has 0 endpoints, expected at least 1")]
    Subset,
    /// A slow start that is too long.
    #[error("the slow start lasts {time:?}, expected at most 1h")]
    SlowStart {
        /// How long it would last.
        time: Duration,
    },
    /// A limit that lets no call through.
    #[error("0 calls in flight are allowed, expected at least 1")]
    MaxInFlight,
    /// A call would never be attempted.
    #[error("an attempt lasts {attempt:?}, expected at least 1ms")]
    Attempt {
        /// How long an attempt would last.
        attempt: Duration,
    },
    /// A call would end before its first attempt does.
    #[error("the whole call lasts {overall:?}, expected {attempt:?} (one attempt) to 1h")]
    Overall {
        /// How long an attempt lasts.
        attempt: Duration,
        /// How long the whole call would last.
        overall: Duration,
    },
    /// A connection would take longer than the attempt it is part of.
    #[error("connecting lasts {connect:?}, expected 1ms to {attempt:?} (one attempt)")]
    Connect {
        /// How long connecting would last.
        connect: Duration,
        /// How long an attempt lasts.
        attempt: Duration,
    },
    /// A hedge that begins at once, or when the attempt is over.
    #[error("a hedge begins after {after:?}, expected 1ms to {attempt:?} (one attempt)")]
    Hedge {
        /// After which time it would begin.
        after: Duration,
        /// How long an attempt lasts.
        attempt: Duration,
    },
    /// A call without attempts.
    #[error("a call has 0 attempts, expected at least 1")]
    Attempts,
}

pub(crate) fn share(what: &'static str, share: f64) -> Result<f64, BalancerConfigError> {
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(BalancerConfigError::Share { what, share }) }
}
