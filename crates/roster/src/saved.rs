//! The last known list of a service, kept in a file for a start without ZooKeeper.
//!
//! `format` is the bytes, `file` the file, `schedule` decides when it is written; `load` and `keep` are the tasks around them.

mod file;
mod format;
mod keep;
mod list;
mod load;
mod place;
mod schedule;
mod unusable;

pub(crate) use keep::keep;
pub(crate) use list::SavedList;
pub(crate) use load::load;
pub(crate) use place::SavedPlace;
