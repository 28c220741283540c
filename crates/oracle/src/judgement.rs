//! What comes of judging.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::figures::Figures;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invariant {
    /// No false loss: a view that is not live loses nothing.
    I1,
    /// Convergence: some time after everything is healed, all that is wanted is registered, all views show it, and so it stays.
    I2,
    /// Availability: no call fails while an instance is listed, shown and answering well all the time.
    I3,
    /// No ghost: what is dead is gone in time, from ZooKeeper and from every live view.
    I4,
    /// Single node: in the end there is one znode for each wanted instance, of the present session, with the wanted data.
    I5,
    /// No theft: nobody deletes or overwrites the znode of another owner.
    I6,
    /// Sticky: nobody deletes its own znode while it is wanted, no take-over leaves a gap, and no view changes without a cause.
    I7,
    /// Monotonic: each view is what one list could have returned, and none is older than the one before.
    I8,
    /// Honest state: what says that it is registered, deregistered or live is so.
    I9,
    /// Bounded: requests, log, CPU time and file descriptors.
    I10,
    /// No crash: no panic, and no exit that nobody asked for.
    I11,
    /// Calls keep to their time and to their attempts, and go to what the view shows.
    Calls,
    /// A view that says live is what ZooKeeper lists.
    Exact,
    /// What was deregistered does not come back.
    Leaves,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::Calls,
        Self::Exact,
        Self::Leaves,
    ];

    /// Its name, such as `I3 availability`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::I1 => "I1 no false loss",
            Self::I2 => "I2 convergence",
            Self::I3 => "I3 availability",
            Self::I4 => "I4 no ghost",
            Self::I5 => "I5 single node",
            Self::I6 => "I6 no theft",
            Self::I7 => "I7 sticky",
            Self::I8 => "I8 monotonic",
            Self::I9 => "I9 honest state",
            Self::I10 => "I10 bounded",
            Self::I11 => "I11 no crash",
            Self::Calls => "calls",
            Self::Exact => "exact",
            Self::Leaves => "leaves",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When.
    pub at: Duration,
    /// What was promised, and what happened.
    pub text: String,
    /// The records that show it, by their place in the history.
    pub records: Vec<usize>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s: {}: {}", self.at.as_secs_f64(), self.invariant, self.text)?;
        if !self.records.is_empty() {
            write!(f, " (records {:?})", self.records)?;
        }
        Ok(())
    }
}

/// A promise that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Which.
    pub invariant: Invariant,
    /// Why.
    pub text: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: unknown: {}", self.invariant, self.text)
    }
}

/// What a history shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The promises that were broken, by time; of each invariant the first few.
    pub violations: Vec<Violation>,
    /// The promises that could not be judged.
    pub unknown: Vec<Unknown>,
    /// How often each invariant had something to judge.
    pub checked: BTreeMap<Invariant, u64>,
    /// How reliable the fleet was.
    pub figures: Figures,
}

/// The outcome in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every promise was kept.
    Pass,
    /// One was broken.
    Fail,
    /// None was broken, and one could not be judged.
    Unknown,
}

impl Judgement {
    /// Returns the outcome in a word.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if !self.violations.is_empty() {
            Verdict::Fail
        } else if self.unknown.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Unknown
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        })
    }
}
