//! The last known list of a service, kept in a file for the next start.

mod list;

pub(crate) use list::SavedList;
