use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use oracle::Invariant;

use super::trial::{Cause, Trial};
use crate::coverage::{self, Arrows, Report};
use crate::plan::Act;

/// From so many seeds on it counts how often each fault took effect, and each rule judged.
const ENOUGH_SEEDS: u64 = 500;

/// Each kind of fault has to take effect at least once in so many seeds.
const SEEDS_FOR_ONE_EFFECT: u64 = 20;

/// Of each cause so many seeds are shown.
const SEEDS_SHOWN: usize = 10;

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many.
    pub seeds: u64,
    /// How long it took.
    pub wall: Duration,
    /// How long the runs were, in virtual time.
    pub virtual_time: Duration,
    /// How many calls were made.
    pub calls: u64,
    /// How often each kind of fault has happened, and taken effect.
    pub faults: BTreeMap<&'static str, (u64, u64)>,
    /// How often each rule had something to judge.
    pub checked: BTreeMap<Invariant, u64>,
    /// How often everybody's machines went along which arrow.
    pub arrows: Arrows,
    /// Those that failed, in the order of the seeds.
    pub failures: Vec<Failure>,
}

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// The first cause.
    pub cause: Cause,
    /// All that is wrong, a line each.
    pub text: String,
}

impl Tally {
    /// Adds what came of one more.
    pub(super) fn add(&mut self, seed: u64, trial: Trial) {
        self.seeds += 1;
        self.virtual_time += trial.virtual_time;
        self.calls += trial.calls;
        for (kind, (happened, took_effect)) in trial.faults {
            let count = self.faults.entry(kind).or_default();
            count.0 += happened;
            count.1 += took_effect;
        }
        for (invariant, times) in trial.checked {
            *self.checked.entry(invariant).or_default() += times;
        }
        self.arrows.add_run(trial.arrows);
        if let Some((cause, text)) = trial.failure {
            self.fail(seed, cause, text);
        }
    }

    pub(super) fn fail(&mut self, seed: u64, cause: Cause, text: String) {
        self.failures.push(Failure { seed, cause, text });
    }

    /// What these seeds did not test enough, a line each. Few seeds need not test everything.
    pub fn lacks(&self) -> Vec<String> {
        let mut lacks = self.coverage().problems();
        lacks.extend(self.tested_too_little());
        lacks
    }

    /// The faults and the rules of which there was too little.
    fn tested_too_little(&self) -> Vec<String> {
        if self.seeds < ENOUGH_SEEDS {
            return Vec::new();
        }
        let least = self.seeds / SEEDS_FOR_ONE_EFFECT;
        let faults = Act::KINDS.into_iter().filter_map(|kind| {
            let (_, took_effect) = self.faults.get(kind).copied().unwrap_or_default();
            (took_effect < least)
                .then(|| format!("{kind} took effect {took_effect} times, expected {least} or more"))
        });
        let rules = Invariant::ALL.into_iter().filter_map(|invariant| {
            let times = self.checked.get(&invariant).copied().unwrap_or_default();
            (times == 0).then(|| format!("{invariant} had nothing to judge"))
        });
        faults.chain(rules).collect()
    }

    fn coverage(&self) -> Report {
        coverage::check(&self.arrows, self.seeds)
    }

    /// Whether every seed passed, and they tested enough.
    pub fn is_green(&self) -> bool {
        self.failures.is_empty() && self.lacks().is_empty() && self.seeds > 0
    }

    /// The first failure of each cause, and how many there are of it.
    pub fn by_cause(&self) -> BTreeMap<Cause, (&Failure, usize)> {
        let mut causes = BTreeMap::new();
        for failure in &self.failures {
            causes.entry(failure.cause.clone()).or_insert((failure, 0)).1 += 1;
        }
        causes
    }

    /// Seeds for each second so far.
    pub fn rate(&self) -> f64 {
        self.seeds as f64 / self.wall.as_secs_f64().max(0.001)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.virtual_time.as_secs_f64() / 3600.0;
        writeln!(
            f,
            "{} seeds in {:.1} s, {:.0} a second: {hours:.1} hours of virtual time, {} calls",
            self.seeds,
            self.wall.as_secs_f64(),
            self.rate(),
            self.calls,
        )?;
        writeln!(f, "\n{:24}{:>10}{:>13}", "fault", "happened", "took effect")?;
        for (kind, (happened, took_effect)) in &self.faults {
            writeln!(f, "{kind:24}{happened:>10}{took_effect:>13}")?;
        }
        writeln!(f, "\n{:24}{:>10}", "rule", "judged")?;
        for (invariant, times) in &self.checked {
            writeln!(f, "{invariant:24}{times:>10}")?;
        }
        if self.seeds >= ENOUGH_SEEDS {
            writeln!(f, "\n{}", self.coverage())?;
        }
        if !self.failures.is_empty() {
            writeln!(f, "\n{:>8}  failed, and the first seeds", "seeds")?;
        }
        for (cause, (_, count)) in self.by_cause() {
            let seeds =
                self.failures.iter().filter(|failure| failure.cause == cause).map(|failure| failure.seed);
            let first: Vec<_> = seeds.take(SEEDS_SHOWN).map(|seed| seed.to_string()).collect();
            writeln!(f, "{count:>8}  {cause}\n{:10}{}", "", first.join(" "))?;
        }
        self.lacks().iter().try_for_each(|lack| writeln!(f, "NOT ENOUGH: {lack}"))
    }
}
