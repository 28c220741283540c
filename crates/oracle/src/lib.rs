//! Judges the recorded history of a fleet: servers that register, clients that follow and call them, and everything that
//! went wrong meanwhile.
//!
//! It shares no code with what it judges: a history is a list of [`Record`]s, which the simulation and the walk with real
//! processes both write.

mod history;

pub use history::{
    Answers, Attempted, Bounds, By, Called, Data, History, LinkPhase, Record, Shown, Stated, What, Znode,
};
