use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use oracle::{Invariant, Judgement, What};

use super::catching;
use crate::coverage::Arrows;
use crate::fleet::{self, Run};
use crate::plan::Plan;

/// What came of one plan, without its history, which is large and can be had again.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Why it fails, if it does: the first cause, and all of them for people.
    pub failure: Option<(Cause, String)>,
    /// How long it was, in virtual time.
    pub virtual_time: Duration,
    /// How many calls were made.
    pub calls: u64,
    /// How often each kind of fault has happened, and taken effect.
    pub faults: BTreeMap<&'static str, (u64, u64)>,
    /// How often each rule had something to judge.
    pub checked: BTreeMap<Invariant, u64>,
    /// How often everybody's machines went along which arrow.
    pub arrows: Arrows,
}

/// Why a plan fails. Two plans fail alike if their causes are equal.
///
/// The texts say how, without numbers and names: a plan that is shrunk must not slip to another failure of the same rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A promise was broken.
    Violated(Invariant, String),
    /// A promise could not be judged, which is not green.
    Unknown(Invariant, String),
    /// The simulation itself, or the oracle, has panicked.
    Panicked,
    /// It has not ended.
    Stuck,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violated(invariant, how) => write!(f, "{invariant}: {how}"),
            Self::Unknown(invariant, how) => write!(f, "{invariant}: unknown: {how}"),
            Self::Panicked => f.write_str("panic of the simulation"),
            Self::Stuck => f.write_str("no end"),
        }
    }
}

/// Lets a plan happen, and judges what came of it.
pub fn judge_plan(plan: &Plan) -> Trial {
    let judged = catching(|| {
        let run = fleet::run(plan);
        let judgement = oracle::judge(&run.history);
        (run, judgement)
    });
    match judged {
        Ok((run, judgement)) => trial(run, judgement),
        Err(message) => Trial {
            failure: Some((Cause::Panicked, message)),
            virtual_time: Duration::ZERO,
            calls: 0,
            faults: BTreeMap::new(),
            checked: BTreeMap::new(),
            arrows: Arrows::default(),
        },
    }
}

fn trial(run: Run, judgement: Judgement) -> Trial {
    let records = &run.history.records;
    Trial {
        failure: failure(&judgement),
        virtual_time: records.last().map(|record| record.at).unwrap_or_default(),
        calls: records.iter().filter(|record| matches!(record.what, What::Call { .. })).count() as u64,
        faults: run.faults,
        checked: judgement.checked,
        arrows: run.arrows,
    }
}

/// Why it fails, if it does.
pub(crate) fn failure(judgement: &Judgement) -> Option<(Cause, String)> {
    let violated = judgement.violations.first().map(|one| Cause::Violated(one.invariant, how(&one.text)));
    let unknown = || judgement.unknown.first().map(|one| Cause::Unknown(one.invariant, how(&one.text)));
    let violations = judgement.violations.iter().map(ToString::to_string);
    let texts: Vec<_> = violations.chain(judgement.unknown.iter().map(ToString::to_string)).collect();
    violated.or_else(unknown).map(|cause| (cause, texts.join("\n")))
}

/// A text without what is different in each run: one `#` for the words in a row that have digits.
fn how(text: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    // What is in detail is about this run, too.
    let whole = text.split(": ").next().unwrap_or_default().split(['{', '(']).next().unwrap_or_default();
    for word in whole.split_whitespace() {
        let word = if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word };
        if word != "#" || words.last() != Some(&"#") {
            words.push(word);
        }
    }
    words.join(" ")
}
