//! Calls: the budget of their retries.

mod budget;

pub use budget::{Budget, BudgetError};
