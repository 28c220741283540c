//! Compares the arrows of the runs with the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::table::{Demand, Expected, expected};
use super::{Arrow, Arrows};

/// How many seeds a push runs, and how many all tests run: only so many go along what is demanded of them.
const PUSH: u64 = 2_000;
const ALL: u64 = 10_000;

/// An arrow that is not in the table is wrong if more runs go along it than these, and more than one in so many. There are
/// always a few of which nobody has thought, and that a night finds.
const STRANGE: u64 = 3;
const RUNS_FOR_ONE_STRANGE: u64 = 1_000;

/// What the runs have not done, or should not have.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Arrows that should have been gone along, and were not.
    pub missing: Vec<Arrow>,
    /// Arrows that run after run has gone along, and that are not in the table.
    pub unknown: Vec<Arrow>,
    /// Those that only a few have.
    pub strange: Vec<Arrow>,
    /// Arrows that were gone along although the table says that they cannot be, with its reason.
    pub impossible: Vec<(Arrow, &'static str)>,
    /// Stages in which no run has been, although one should have.
    pub states_missing: Vec<(Box<str>, Box<str>)>,
    /// All lines of the table that were not gone along, whatever is demanded.
    pub never: Vec<&'static Expected>,
    /// By machine: how many arrows were gone along, of how many that can be; and the same of stages.
    pub machines: BTreeMap<&'static str, [usize; 4]>,
}

/// Whether so many runs are to go along it.
fn is_demanded(demand: Demand, runs: u64) -> bool {
    match demand {
        Demand::Often => runs >= PUSH,
        Demand::Reachable => runs >= ALL,
        Demand::Rare | Demand::Unreachable | Demand::NotSimulated => false,
    }
}

/// Compares the arrows of so many runs, each with the number of those that went along it, with the table.
pub fn check(arrows: &Arrows, runs: u64) -> Report {
    let mut report = Report::default();
    for (arrow, count) in arrows.iter() {
        match expected().iter().find(|expected| expected.is_about(arrow)) {
            None if count > STRANGE.max(runs / RUNS_FOR_ONE_STRANGE) => report.unknown.push(arrow.clone()),
            None => report.strange.push(arrow.clone()),
            Some(found) if !found.demand.allows() => report.impossible.push((arrow.clone(), found.reason)),
            Some(_) => {}
        }
    }
    let visited = states(arrows.iter().map(|(arrow, _)| arrow));
    let demanded = expected().iter().filter(|expected| is_demanded(expected.demand, runs));
    report.missing =
        demanded.clone().map(|one| &one.arrow).filter(|arrow| arrows.count(arrow) == 0).cloned().collect();
    report.states_missing = states(demanded.map(|one| &one.arrow))
        .difference(&visited)
        .map(|(machine, state)| ((*machine).into(), (*state).into()))
        .collect();
    let was_gone = |expected: &Expected| arrows.iter().any(|(arrow, _)| expected.is_about(arrow));
    report.never = expected().iter().filter(|expected| !was_gone(expected)).collect();
    let possible = || expected().iter().filter(|expected| expected.demand.allows());
    for expected in possible() {
        let counts = report.machines.entry(&expected.arrow.machine).or_default();
        counts[0] += usize::from(arrows.count(&expected.arrow) > 0);
        counts[1] += 1;
    }
    for state in states(possible().map(|one| &one.arrow)) {
        if let Some(counts) = report.machines.get_mut(state.0) {
            counts[2] += usize::from(visited.contains(&state));
            counts[3] += 1;
        }
    }
    report
}

fn states<'a>(arrows: impl Iterator<Item = &'a Arrow>) -> BTreeSet<(&'a str, &'a str)> {
    arrows.flat_map(|arrow| [(&*arrow.machine, &*arrow.from), (&*arrow.machine, &*arrow.to)]).collect()
}

impl Report {
    /// What is wrong, a line each.
    pub fn problems(&self) -> Vec<String> {
        let states = self.states_missing.iter();
        let states =
            states.map(|(machine, state)| format!("no run has been in the stage {state} of {machine}"));
        let missing = self.missing.iter().map(|arrow| format!("no run has gone along    {arrow}"));
        let unknown = self.unknown.iter().map(|arrow| format!("not in arrows.txt:       {arrow}"));
        let impossible = self.impossible.iter();
        let impossible = impossible.map(|(arrow, why)| format!("said to be impossible:   {arrow} ({why})"));
        states.chain(missing).chain(unknown).chain(impossible).collect()
    }

    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.problems().is_empty()
    }
}

/// How much of each machine was gone along, and all that was not. What is wrong is another list.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:15} {:>12} {:>12}", "machine", "stages", "arrows")?;
        for (machine, [arrows, all_arrows, states, all_states]) in &self.machines {
            let (states, arrows) = (format!("{states}/{all_states}"), format!("{arrows}/{all_arrows}"));
            writeln!(f, "{machine:15} {states:>12} {arrows:>12}")?;
        }
        writeln!(f, "\nnever gone along:")?;
        for Expected { arrow, demand, reason } in &self.never {
            let colon = if reason.is_empty() { "" } else { ": " };
            writeln!(f, "{arrow} {demand}{colon}{reason}")?;
        }
        for arrow in &self.strange {
            writeln!(f, "new, and to be added to arrows.txt: {arrow}")?;
        }
        Ok(())
    }
}
