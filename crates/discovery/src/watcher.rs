//! Follows a root: a machine that decides what the view shows, and a task that does what the machine asks for.

mod commands;
mod driver;
mod effect;
mod following;
mod machine;
mod names;
mod output;

pub(crate) use commands::{Controls, commands};
pub(crate) use driver::Driver;
pub(crate) use machine::Machine;
