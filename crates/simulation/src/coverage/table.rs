//! The table of all arrows that there are.

use std::fmt;
use std::sync::LazyLock;

use super::Arrow;

/// The table: a line for each arrow, with what is demanded of it.
const TEXT: &str = include_str!("arrows.txt");

/// In the place of a name: any.
const ANY: &str = "*";

/// Whether an arrow is to be gone along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// In the runs of each push.
    Often,
    /// In those of all tests.
    Reachable,
    /// It may be, and it may be that no run is so unlucky: nothing is demanded.
    Rare,
    /// Never: the machine has no such arrow, or its driver takes no such input to it.
    Unreachable,
    /// Never: it takes what the simulation does not have.
    NotSimulated,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The arrow. Where nothing is to be gone along a name may stand for all: `*`.
    pub arrow: Arrow,
    /// What is demanded.
    pub demand: Demand,
    /// Why nothing is.
    pub reason: &'static str,
}

impl Demand {
    const ALL: [Self; 5] = [Self::Often, Self::Reachable, Self::Rare, Self::Unreachable, Self::NotSimulated];

    fn name(self) -> &'static str {
        match self {
            Self::Often => "often",
            Self::Reachable => "reachable",
            Self::Rare => "rare",
            Self::Unreachable => "unreachable",
            Self::NotSimulated => "not-simulated",
        }
    }

    /// Whether a run may go along such an arrow.
    pub fn allows(self) -> bool {
        matches!(self, Self::Often | Self::Reachable | Self::Rare)
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Expected {
    fn parse(line: &'static str) -> Option<Self> {
        let (line, reason) = line.split_once(": ").unwrap_or((line, ""));
        let names: Vec<_> = line.split_whitespace().collect();
        let [machine, from, on, to, demand] = names[..] else { return None };
        let demand = Demand::ALL.into_iter().find(|known| known.name() == demand)?;
        let arrow = Arrow { machine: machine.into(), from: from.into(), on: on.into(), to: to.into() };
        // What is not to be gone along has a reason, and what is to be is one arrow.
        let is_valid = match demand.allows() {
            true => [from, on, to].iter().all(|name| *name != ANY),
            false => !reason.is_empty(),
        };
        is_valid.then_some(Self { arrow, demand, reason })
    }

    /// Whether the line is about an arrow.
    pub fn is_about(&self, arrow: &Arrow) -> bool {
        let is_meant = |name: &str, found: &str| name == ANY || name == found;
        self.arrow.machine == arrow.machine
            && is_meant(&self.arrow.from, &arrow.from)
            && is_meant(&self.arrow.on, &arrow.on)
            && is_meant(&self.arrow.to, &arrow.to)
    }
}

/// The table.
///
/// # Panics
/// If a line of it is invalid.
pub fn expected() -> &'static [Expected] {
    static TABLE: LazyLock<Vec<Expected>> = LazyLock::new(|| {
        let lines = TEXT.lines().filter(|line| !(line.is_empty() || line.starts_with('#')));
        let parse =
            |line| Expected::parse(line).unwrap_or_else(|| panic!("invalid line in arrows.txt: {line}"));
        lines.map(parse).collect()
    });
    &TABLE
}
