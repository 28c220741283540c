//! Why a file is not used.

use std::io;
use std::time::Duration;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
    #[error("it is {0}, and no file")]
    NoFile(&'static str),
    #[error("it belongs to the user {owner}, and this process is the user {us}'s")]
    Owner { owner: u32, us: u32 },
    #[error("other users can write to it (mode {mode:o})")]
    Writable { mode: u32 },
    #[error("it is longer than {} MiB", super::format::MAX_BYTES >> 20)]
    TooLong,
    #[error("it is no saved list, or its beginning is damaged")]
    NoSavedList,
    #[error("it has format {found}, and this program reads format {}", super::format::VERSION)]
    Version { found: u32 },
    #[error("it is damaged: its checksum is wrong")]
    Checksum,
    #[error("its content makes no sense: {0}")]
    Content(String),
    #[error("it is a list of {found:?}")]
    Service { found: String },
    #[error("it is a list of another ensemble, {found:?}")]
    Ensemble { found: Vec<String> },
    #[error("it is {age:?} old, and at most {max:?} are allowed")]
    TooOld { age: Duration, max: Duration },
    #[error("it was written {ahead:?} from now, by the clock of this machine")]
    FromTheFuture { ahead: Duration },
}

impl Unusable {
    /// The reason for a log, however long the file's own words are.
    pub(super) fn short(&self) -> String {
        format!("{:.500}", self.to_string())
    }
}
