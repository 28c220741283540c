//! Durations as text such as `10s` or `1m 30s`, for serde's attribute `with`. Not part of the interface of this crate: those that
//! build on it use it.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes a duration: `1m 30s`.
///
/// # Errors
/// That of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

/// Reads a duration: numbers with units, such as `250ms`, `10s` or `1h 30m`.
///
/// # Errors
/// If the text is no duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    // The parser panics where the sum of its numbers overflows.
    let is_modest =
        text.len() <= 64 && text.split(|c: char| !c.is_ascii_digit()).all(|digits| digits.len() <= 10);
    let parsed = if is_modest { humantime::parse_duration(&text).ok() } else { None };
    parsed.ok_or_else(|| D::Error::custom("expected a duration such as \"250ms\" or \"1h 30m\""))
}

/// Moments as ages, to the millisecond.
pub mod age {
    use super::{Duration, Serializer};

    /// Writes how long ago a moment was.
    ///
    /// # Errors
    /// That of the serializer.
    pub fn serialize<S: Serializer>(since: &tokio::time::Instant, serializer: S) -> Result<S::Ok, S::Error> {
        let age = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        super::serialize(&Duration::from_millis(age), serializer)
    }
}

/// Durations that may be missing.
pub mod option {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    /// Writes a duration, or nothing.
    ///
    /// # Errors
    /// That of the serializer.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a duration, or nothing.
    ///
    /// # Errors
    /// If there is text that is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Humane(#[serde(with = "super")] Duration);
        Ok(Option::<Humane>::deserialize(deserializer)?.map(|Humane(duration)| duration))
    }
}
