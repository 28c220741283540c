//! The built-in pickers, by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::candidates::Candidates;
use crate::picker::{Context, Picker, Random, RoundRobin};

/// How a reader chooses among the endpoints in service.
///
/// Parses from, and displays as, the names in [`Strategy::NAMES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// `random`: [`Random`].
    #[default]
    Random,
    /// `round-robin`: [`RoundRobin`].
    RoundRobin,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 2] = [Self::Random, Self::RoundRobin];

    /// The names of all strategies.
    pub const NAMES: [&'static str; 2] = ["random", "round-robin"];

    /// Returns the name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Makes a picker.
    #[must_use]
    pub fn picker(self) -> StrategyPicker {
        match self {
            Self::Random => StrategyPicker::Random(Random),
            Self::RoundRobin => StrategyPicker::RoundRobin(RoundRobin::default()),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|strategy| strategy.name() == name);
        found.ok_or_else(|| UnknownStrategy { found: name.to_owned() })
    }
}

/// The error of an unknown strategy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown strategy {found:?}, expected one of: {}", Strategy::NAMES.join(", "))]
pub struct UnknownStrategy {
    /// The unknown name.
    pub found: String,
}

/// The picker of a [`Strategy`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StrategyPicker {
    /// Of [`Strategy::Random`].
    Random(Random),
    /// Of [`Strategy::RoundRobin`].
    RoundRobin(RoundRobin),
}

impl<K, V> Picker<K, V> for StrategyPicker {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        match self {
            Self::Random(picker) => picker.pick(candidates, context),
            Self::RoundRobin(picker) => picker.pick(candidates, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_strategy_that_shows_as_its_name() {
        for (strategy, name) in Strategy::ALL.into_iter().zip(Strategy::NAMES) {
            assert_eq!((name.parse(), strategy.to_string()), (Ok(strategy), name.to_owned()));
        }
        let error = "Random".parse::<Strategy>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(r#"unknown strategy "Random", expected one of: {}"#, Strategy::NAMES.join(", "))
        );
    }
}
