//! Where a list is saved, and what a file has to be to be used.

use std::path::PathBuf;
use std::time::Duration;

/// Where the list of a service is saved, and how old it may be.
#[derive(Clone, Debug)]
pub(crate) struct SavedPlace {
    pub(crate) path: PathBuf,
    /// The znode whose children the list has, as the link names it: a file of another service is not used.
    pub(crate) service: String,
    /// The hosts of the ensemble; none where they are not known. A file of an ensemble that has no host in common with this one
    /// is not used: it may have a service of the same name.
    pub(crate) hosts: Vec<String>,
    pub(crate) max_age: Duration,
}
