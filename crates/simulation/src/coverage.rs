//! Which arrows of the machines the runs have gone along.
//!
//! Each machine of the libraries traces its steps: events of the target `arrow` with its name, the stage that it came from, what
//! it came on, and the stage that it led to. They are counted here, and compared with a table of all arrows that there are: so
//! it shows what no run has done, and a stage that is added cannot be forgotten.

mod check;
mod collector;
mod table;

use std::collections::BTreeMap;
use std::fmt;

pub use check::{Report, check};
pub use collector::{install, take};
pub use table::{Demand, Expected, expected};

/// One step of a machine: from a stage, on an input, to a stage, which may be the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arrow {
    /// The machine.
    pub machine: Box<str>,
    /// The stage before.
    pub from: Box<str>,
    /// What came.
    pub on: Box<str>,
    /// The stage afterwards.
    pub to: Box<str>,
}

/// How often each arrow was gone along: in one run, or in how many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrows(BTreeMap<Arrow, u64>);

impl Arrows {
    /// Counts the arrows of another run, each once.
    pub fn add_run(&mut self, run: Arrows) {
        for (arrow, _) in run.0 {
            *self.0.entry(arrow).or_default() += 1;
        }
    }

    /// Each arrow with its count, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arrow, u64)> {
        self.0.iter().map(|(arrow, count)| (arrow, *count))
    }

    /// How often this one was gone along.
    pub fn count(&self, arrow: &Arrow) -> u64 {
        self.0.get(arrow).copied().unwrap_or_default()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Arrow, u64)> for Arrows {
    fn from_iter<I: IntoIterator<Item = (Arrow, u64)>>(arrows: I) -> Self {
        let mut all = Self::default();
        for (arrow, count) in arrows {
            *all.0.entry(arrow).or_default() += count;
        }
        all
    }
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, from, on, to } = self;
        write!(f, "{machine:<15} {from:<15} {on:<21} {to:<16}")
    }
}

/// A table, an arrow a line.
impl fmt::Display for Arrows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(arrow, count)| writeln!(f, "{arrow} {count:>10}"))
    }
}

#[cfg(test)]
mod tests;
