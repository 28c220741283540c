//! File descriptors kept back for when they run out.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A new connection to ZooKeeper comes with a runtime of its own, which takes about six; the rest is for
/// looking names up.
const ENOUGH: usize = 16;

/// Descriptors held back from callers, and lent to the rest of the process when they have run out.
///
/// A server full of callers that cannot reach ZooKeeper would lose its session, and its registration with it.
#[derive(Debug)]
pub(crate) struct Spare(Mutex<Vec<File>>);

impl Spare {
    /// Keeps them back, if they are to be had.
    pub(crate) fn keep() -> Self {
        Self(Mutex::new(open()))
    }

    /// Lends them. While they are lent no caller must be accepted, or callers would take them.
    pub(crate) fn lend(&self) {
        self.files().clear();
    }

    pub(crate) fn are_lent(&self) -> bool {
        self.files().is_empty()
    }

    /// Takes all of them back, or none: whoever needs them comes first. Says whether they are kept now.
    pub(crate) fn take_back(&self) -> bool {
        let mut files = self.files();
        if files.is_empty() {
            *files = open();
        }
        !files.is_empty()
    }

    fn files(&self) -> MutexGuard<'_, Vec<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many as are enough, or none.
fn open() -> Vec<File> {
    (0..ENOUGH).map(|_| File::open("/dev/null")).collect::<Result<_, _>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_is_taken_back_whole() {
        let spare = Spare::keep();
        assert!(!spare.are_lent());
        spare.lend();
        assert!(spare.are_lent());
        assert!(spare.take_back());
        assert_eq!(spare.files().len(), ENOUGH);
    }
}
