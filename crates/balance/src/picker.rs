//! The strategies, one file each.
//!
//! A picker only proposes indices below a length; the balancer decides whether the endpoint may be used. If none of a
//! few proposals may be used, the balancer counts the endpoints that may, and the picker chooses among them.

mod random;
mod round_robin;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::rng::SharedRng;
use random::Random;
use round_robin::RoundRobin;

/// How a balancer chooses among the endpoints in service.
///
/// Parses from, and displays as, the names in [`Strategy::NAMES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// `random`: each with the same probability.
    #[default]
    Random,
    /// `round-robin`: one after the other, in the order of [`Balancer::update`](crate::Balancer::update). While all
    /// are in service and the set stays the same, any N picks in a row choose each of N endpoints once.
    RoundRobin,
}

impl Strategy {
    /// The names of all strategies.
    pub const NAMES: [&'static str; 2] = ["random", "round-robin"];
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Random => Self::NAMES[0],
            Self::RoundRobin => Self::NAMES[1],
        })
    }
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let all = [Self::Random, Self::RoundRobin];
        let found = Self::NAMES.iter().position(|known| *known == name);
        found.map(|i| all[i]).ok_or_else(|| UnknownStrategy { found: name.to_owned() })
    }
}

/// The error of an unknown strategy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown strategy {found:?}, expected one of: {}", Strategy::NAMES.join(", "))]
pub struct UnknownStrategy {
    /// The unknown name.
    pub found: String,
}

/// The state that a strategy keeps across picks and updates.
#[derive(Debug)]
pub(crate) enum Picker {
    Random(Random),
    RoundRobin(RoundRobin),
}

impl Picker {
    pub(crate) fn new(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Random => Self::Random(Random),
            Strategy::RoundRobin => Self::RoundRobin(RoundRobin::default()),
        }
    }

    /// Proposes an index below `len`, which is at least 1.
    pub(crate) fn propose(&self, len: usize, rng: &SharedRng) -> usize {
        match self {
            Self::Random(random) => random.propose(len, rng),
            Self::RoundRobin(round_robin) => round_robin.propose(len),
        }
    }

    /// Chooses among `count` endpoints that may be used, at least 1.
    pub(crate) fn choose(&self, count: usize, rng: &SharedRng) -> usize {
        match self {
            Self::Random(random) => random.propose(count, rng),
            Self::RoundRobin(round_robin) => round_robin.choose(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_strategy_that_shows_as_its_name() {
        for name in Strategy::NAMES {
            assert_eq!(name.parse::<Strategy>().unwrap().to_string(), name);
        }
        let error = "Random".parse::<Strategy>().unwrap_err();
        assert_eq!(error.to_string(), r#"unknown strategy "Random", expected one of: random, round-robin"#);
    }
}
