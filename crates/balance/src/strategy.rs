//! The built-in pickers, by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::candidates::Candidates;
use crate::picker::{
    Context, LeastLoaded, PeakEwma, Picker, Random, Rendezvous, RoundRobin, Sticky, Weighted,
};

/// How a reader chooses among the endpoints in service.
///
/// Parses from, and displays as, the names in [`Strategy::NAMES`], and is read and written so with the feature `serde`.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// `random`: [`Random`], each endpoint with the same probability.
    #[default]
    Random,
    /// `round-robin`: [`RoundRobin`], one endpoint after the other, beginning anywhere.
    RoundRobin,
    /// `weighted`: [`Weighted`], in proportion to the weights.
    Weighted,
    /// `least-loaded`: [`LeastLoaded`], of two random endpoints the one with fewer calls in flight.
    LeastLoaded,
    /// `peak-ewma`: [`PeakEwma`], of two random endpoints the one that is quicker for its load.
    PeakEwma,
    /// `rendezvous`: [`Rendezvous`], each key at the same endpoint, with bounded load.
    Rendezvous,
    /// `sticky`: [`Sticky`], a random endpoint for as long as it is in service.
    Sticky,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 7] = [
        Self::Random,
        Self::RoundRobin,
        Self::Weighted,
        Self::LeastLoaded,
        Self::PeakEwma,
        Self::Rendezvous,
        Self::Sticky,
    ];

    /// The names of all strategies.
    pub const NAMES: [&'static str; 7] =
        ["random", "round-robin", "weighted", "least-loaded", "peak-ewma", "rendezvous", "sticky"];

    /// Returns the name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Returns whether its picks depend on weights, which only records tell: where nothing but the names of endpoints is read, all
    /// weights are the same.
    #[must_use]
    pub fn needs_records(self) -> bool {
        matches!(self, Self::Weighted)
    }

    /// Makes a picker.
    #[must_use]
    pub fn picker(self) -> StrategyPicker {
        match self {
            Self::Random => StrategyPicker::Random(Random),
            Self::RoundRobin => StrategyPicker::RoundRobin(RoundRobin::default()),
            Self::Weighted => StrategyPicker::Weighted(Weighted),
            Self::LeastLoaded => StrategyPicker::LeastLoaded(LeastLoaded),
            Self::PeakEwma => StrategyPicker::PeakEwma(PeakEwma::default()),
            Self::Rendezvous => StrategyPicker::Rendezvous(Rendezvous::default()),
            Self::Sticky => StrategyPicker::Sticky(Sticky::default()),
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

impl TryFrom<String> for Strategy {
    type Error = UnknownStrategy;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Strategy> for String {
    fn from(strategy: Strategy) -> Self {
        strategy.name().into()
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
    /// Of [`Strategy::Weighted`].
    Weighted(Weighted),
    /// Of [`Strategy::LeastLoaded`].
    LeastLoaded(LeastLoaded),
    /// Of [`Strategy::PeakEwma`].
    PeakEwma(PeakEwma),
    /// Of [`Strategy::Rendezvous`].
    Rendezvous(Rendezvous),
    /// Of [`Strategy::Sticky`].
    Sticky(Sticky),
}

/// Calls a method of whichever picker it is.
macro_rules! forward {
    ($self:ident, $picker:ident => $call:expr) => {
        match $self {
            Self::Random($picker) => $call,
            Self::RoundRobin($picker) => $call,
            Self::Weighted($picker) => $call,
            Self::LeastLoaded($picker) => $call,
            Self::PeakEwma($picker) => $call,
            Self::Rendezvous($picker) => $call,
            Self::Sticky($picker) => $call,
        }
    };
}

impl StrategyPicker {
    #[inline(never)]
    fn pick_by_any<K, V>(
        &mut self,
        candidates: Candidates<'_, K, V>,
        mut context: Context<'_>,
    ) -> Option<usize> {
        forward!(self, picker => picker.pick(&candidates, &mut context))
    }
}

impl<K, V> Picker<K, V> for StrategyPicker {
    // The first two take a nanosecond, and a jump to one of seven takes three.
    #[inline(always)]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        match self {
            Self::Random(picker) => picker.pick(candidates, context),
            Self::RoundRobin(picker) => picker.pick(candidates, context),
            // By value: what is passed on by reference has to be in memory, and the first two need it in registers.
            _ => self.pick_by_any(*candidates, Context { rng: context.rng, ..*context }),
        }
    }

    #[inline]
    fn measures_latency(&self) -> bool {
        forward!(self, picker => Picker::<K, V>::measures_latency(picker))
    }

    #[inline]
    fn is_by_key(&self) -> bool {
        forward!(self, picker => Picker::<K, V>::is_by_key(picker))
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
