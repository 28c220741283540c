//! Judges the recorded history of a fleet: servers that register, clients that follow and call them, and everything that
//! went wrong meanwhile.
//!
//! It shares no code with what it judges: a history is a list of [`Record`]s, which the simulation and the walk with real
//! processes both write. [`judge`] is a pure function from a history to a [`Judgement`].
//!
//! ```
//! use oracle::{Bounds, History, Invariant, Record, Verdict, What, judge};
//!
//! let panicked = What::Panicked { process: "server 1".into(), message: "index out of bounds".into() };
//! let records = vec![Record { at: std::time::Duration::from_secs(3), what: panicked }];
//! let judgement = judge(&History { bounds: Bounds::default(), records });
//! assert_eq!(judgement.verdict(), Verdict::Fail);
//! assert_eq!(judgement.violations[0].invariant, Invariant::I11);
//! ```
//!
//! # How it judges
//! * Every rule counts how often it had something to judge ([`Judgement::checked`]): a rule that never judges anything is
//!   seen.
//! * Bounds hold for a process that is undisturbed: no fault is in force that may delay what it judges, nor was one so lately
//!   that it may not have recovered. Which kinds of fault delay what is one table (`timeline/harm.rs`); a kind that is not in
//!   it delays everything.
//! * What cannot be judged is [`Unknown`], which is not a pass.

mod bounds;
mod check;
mod figures;
mod findings;
mod history;
mod json_lines;
mod judgement;
mod measure;
mod timeline;

pub use figures::{Figures, Samples};
pub use history::{
    Answers, Attempted, Bounds, By, Called, Data, History, LinkPhase, Record, Shown, Stated, What, Znode,
};
pub use json_lines::BadLine;
pub use judgement::{Invariant, Judgement, Unknown, Verdict, Violation};

use findings::Findings;
use timeline::Timeline;

/// Judges a history by what the libraries promise.
#[must_use]
pub fn judge(history: &History) -> Judgement {
    let timeline = Timeline::new(history);
    let mut findings = Findings::new(&timeline);
    check::all(&timeline, &mut findings);
    findings.into_judgement()
}
