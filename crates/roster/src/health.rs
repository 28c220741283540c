//! What decides whether a service is registered: a check, or a value that the program sets.

mod check;
mod checking;
mod damping;
mod verdict;

pub use check::{CheckAnswer, HealthCheck, WhenSick};
pub use verdict::ServiceHealth;

pub(crate) use checking::watch_over;
