//! What the rules have found so far.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::figures::Figures;
use crate::judgement::{Invariant, Judgement, Unknown, Violation};
use crate::measure::measure;
use crate::timeline::Timeline;

/// Of each invariant so many violations are told: the first says most, and thousands would take time to format.
const MOST: usize = 8;

/// Collects what the rules find.
#[derive(Debug)]
pub(crate) struct Findings {
    violations: Vec<Violation>,
    unknown: Vec<Unknown>,
    checked: BTreeMap<Invariant, u64>,
    pub(crate) figures: Figures,
}

impl Findings {
    pub(crate) fn new(timeline: &Timeline<'_>) -> Self {
        let checked = Invariant::ALL.map(|one| (one, 0)).into();
        let figures = measure(timeline);
        let mut findings = Self { violations: Vec::new(), unknown: Vec::new(), checked, figures };
        if !timeline.records.is_sorted_by_key(|record| record.at) {
            for invariant in Invariant::ALL {
                findings.unknown(invariant, "the records are not sorted by time");
            }
        }
        findings
    }

    /// There was something to judge, so many times.
    pub(crate) fn judged(&mut self, invariant: Invariant, times: u64) {
        *self.checked.entry(invariant).or_default() += times;
    }

    /// A promise was broken. The text is only made if it is told.
    pub(crate) fn violated(
        &mut self,
        invariant: Invariant,
        at: Duration,
        records: &[usize],
        text: impl FnOnce() -> String,
    ) {
        if self.violations.iter().filter(|violation| violation.invariant == invariant).count() < MOST {
            let records = records.to_vec();
            self.violations.push(Violation { invariant, at, text: text(), records });
        }
    }

    /// A promise could not be judged.
    pub(crate) fn unknown(&mut self, invariant: Invariant, text: impl Into<String>) {
        self.unknown.push(Unknown { invariant, text: text.into() });
    }

    pub(crate) fn into_judgement(mut self) -> Judgement {
        self.violations.sort_by_key(|violation| violation.at);
        let Self { violations, unknown, checked, figures } = self;
        Judgement { violations, unknown, checked, figures }
    }
}
