//! Lets a plan happen.

use std::collections::BTreeMap;

use oracle::History;

use crate::plan::Plan;

/// What came of a plan.
#[derive(Clone, Debug)]
pub struct Run {
    /// What has happened, for the oracle.
    pub history: History,
    /// The same for people, a line each: what was done, every request and event, what everybody said. The same plan gives the
    /// same lines.
    pub story: Vec<String>,
    /// How often each kind of fault has happened, and how often it has taken effect.
    pub faults: BTreeMap<&'static str, (u64, u64)>,
}

/// Lets a plan happen on a runtime of its own, in virtual time, and everything be healed afterwards.
///
/// # Panics
/// Inside a tokio runtime.
pub fn run(plan: &Plan) -> Run {
    let _ = plan;
    todo!()
}
