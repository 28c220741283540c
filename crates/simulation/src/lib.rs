//! Fleets in virtual time, by seed: the real registration, discovery and calls, on days on which everything goes wrong.
//!
//! A [`Plan`] is what happens in one run, as a value that prints: who there is, and what is done to them, step by step. A seed
//! makes one. [`run`] lets it happen in one process on tokio's paused clock, and returns the [`History`](oracle::History), which the
//! crate `oracle` judges.

pub mod coverage;
mod fleet;
mod generate;
mod plan;
mod planted;
mod report;
mod runner;
mod shrink;

pub use fleet::{Run, Wrap, run, run_with};
pub use generate::{FEWEST_STEPS, generate};
pub use plan::{Act, Callee, Caller, Loss, Plan, ServerKind, Spec, Step, Trouble, Who};
pub use planted::{Planted, plant};
pub use report::{report, report_failures};
pub use runner::{Cause, Failure, Seeds, Tally, Trial, judge_plan, run_seeds};
pub use shrink::{Limits, Shrunk, shrink};

#[cfg(doctest)]
#[doc = include_str!("../../../docs/simulation.md")]
struct Page;
