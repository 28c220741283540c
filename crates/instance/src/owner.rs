//! [`Owner`]: the process that wrote an instance.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// One start of one process: a random 128-bit number, drawn by the caller once per process.
///
/// Shown and parsed as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Incarnation(u128);

impl Incarnation {
    /// Makes an incarnation of a random number.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        Self(number)
    }

    /// Makes an incarnation of 16 random bytes, the most significant first.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Returns the number.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Incarnation {
    type Err = IncarnationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(digit) {
            return Err(IncarnationError(()));
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| IncarnationError(()))
    }
}

impl TryFrom<String> for Incarnation {
    type Error = IncarnationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Incarnation> for String {
    fn from(incarnation: Incarnation) -> Self {
        incarnation.to_string()
    }
}

/// A text is not an incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected 32 lower-case hexadecimal digits")]
pub struct IncarnationError(());

/// The process that wrote an instance, as far as it is known.
///
/// The facts answer three questions:
///
/// - *Did this process write it?* [`incarnation`](Self::incarnation) alone decides that.
/// - *Can its writer still be listening?* No, if another process now owns the same bound address in the same network
///   namespace of the same boot of the same host: see [`same_place`](Self::same_place).
/// - *Which process is it?* Host, pid and start time lead an operator to it. They prove nothing: pids are used again,
///   and clocks are set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    incarnation: Incarnation,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    boot_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    netns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bound: Option<SocketAddr>,
}

/// A fact; empty text counts as unknown.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|fact| !fact.is_empty()))
}

impl Owner {
    /// Describes an owner without other facts.
    #[must_use]
    pub fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, host: None, boot_id: None, netns: None, pid: None, started_ms: None, bound: None }
    }

    /// Adds the name of the host; an empty one counts as unknown.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into()).filter(|host| !host.is_empty());
        self
    }

    /// Adds the id of the boot of the host, which is another one after each boot; an empty one counts as unknown.
    #[must_use]
    pub fn with_boot_id(mut self, boot_id: impl Into<String>) -> Self {
        self.boot_id = Some(boot_id.into()).filter(|id| !id.is_empty());
        self
    }

    /// Adds the inode number of the network namespace.
    #[must_use]
    pub fn with_netns(mut self, inode: u64) -> Self {
        self.netns = Some(inode);
        self
    }

    /// Adds the process id.
    #[must_use]
    pub fn with_pid(mut self, pid: u32) -> Self {
        self.pid = Some(pid);
        self
    }

    /// Adds when the process started, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn with_started_ms(mut self, started_ms: u64) -> Self {
        self.started_ms = Some(started_ms);
        self
    }

    /// Adds the socket address on which the process listens, which may differ from the advertised one.
    #[must_use]
    pub fn with_bound(mut self, bound: SocketAddr) -> Self {
        self.bound = Some(bound);
        self
    }

    /// Returns the process start that wrote the instance.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Returns the name of the host.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the id of the boot of the host.
    #[must_use]
    pub fn boot_id(&self) -> Option<&str> {
        self.boot_id.as_deref()
    }

    /// Returns the inode number of the network namespace.
    #[must_use]
    pub fn netns(&self) -> Option<u64> {
        self.netns
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Returns when the process started, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn started_ms(&self) -> Option<u64> {
        self.started_ms
    }

    /// Returns the socket address on which the process listens.
    #[must_use]
    pub fn bound(&self) -> Option<SocketAddr> {
        self.bound
    }

    /// Returns whether both bound the same address in the same network namespace of the same boot of the same
    /// host, so that they cannot both be listening there exclusively.
    ///
    /// Each of the four facts must be known on both sides and equal: an unknown fact never matches, not even itself.
    /// The caller must know that its listener is exclusive (no `SO_REUSEPORT`).
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        fn known_and_equal<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            a.is_some() && a == b
        }
        known_and_equal(&self.host, &other.host)
            && known_and_equal(&self.boot_id, &other.boot_id)
            && known_and_equal(&self.netns, &other.netns)
            && known_and_equal(&self.bound, &other.bound)
    }
}

/// One line for an operator: the known facts, the most useful first.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::quoted::Quoted;

        if let Some(host) = &self.host {
            write!(f, "host {} ", Quoted(host))?;
        }
        if let Some(pid) = self.pid {
            write!(f, "pid {pid} ")?;
        }
        if let Some(bound) = self.bound {
            write!(f, "bound to {bound} ")?;
        }
        write!(f, "incarnation {}", self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> Owner {
        Owner::new(Incarnation::from_u128(1))
            .with_host("db-7")
            .with_boot_id("b1")
            .with_netns(4_026_531_840)
            .with_bound(([127, 0, 0, 1], 8897).into())
    }

    #[test]
    fn owners_that_differ_in_incarnation_pid_and_start_share_a_place() {
        let mut later = complete().with_pid(7).with_started_ms(9);
        later.incarnation = Incarnation::from_u128(2);
        assert!(complete().same_place(&later) && later.same_place(&complete()));
    }

    #[test]
    fn owners_with_a_different_or_unknown_fact_are_not_at_the_same_place() {
        let changes: [fn(&mut Owner); 8] = [
            |o| o.host = Some("db-8".into()),
            |o| o.host = None,
            |o| o.boot_id = Some("b2".into()),
            |o| o.boot_id = None,
            |o| o.netns = Some(1),
            |o| o.netns = None,
            |o| o.bound = Some(([0, 0, 0, 0], 8897).into()),
            |o| o.bound = None,
        ];
        for change in changes {
            let mut other = complete();
            change(&mut other);
            assert!(!complete().same_place(&other), "{other:?}");
            assert!(!other.same_place(&complete()), "{other:?}");
        }
    }

    #[test]
    fn an_unknown_fact_does_not_match_itself() {
        let unknown = complete().with_boot_id("");
        assert!(!unknown.same_place(&unknown));
    }

    #[test]
    fn incarnations_have_one_spelling() {
        let one = Incarnation::from_bytes([0xab; 16]);
        assert_eq!(one.to_string(), "ab".repeat(16));
        assert_eq!(one.to_string().parse(), Ok(one));
        for invalid in ["", "ab", &"AB".repeat(16), &"+b".repeat(16), &"0".repeat(33)] {
            assert!(invalid.parse::<Incarnation>().is_err(), "{invalid:?}");
        }
    }
}
