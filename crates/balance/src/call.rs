//! Calls that try another endpoint when one fails.

mod answered;
mod attempt;
mod budget;
mod caller;
mod classify;
mod common;
mod config;
mod error;
mod fair_time;
mod history;
mod probe;
mod progress;
mod race;
mod run;
mod target;
mod trials;

pub use answered::Answered;
pub use budget::{Budget, BudgetError};
pub use caller::Caller;
pub use classify::Classify;
pub use config::CallConfig;
pub use error::{Attempt, CallError, GaveUp, MAX_LISTED_ATTEMPTS};
pub use target::Target;
