//! Names of children that are skipped or unreadable: counted, and logged once each.

use std::collections::BTreeSet;
use std::fmt::Display;

/// How many names are counted.
const COUNTED: usize = 1_000;

/// How many names a watcher logs at most: names that come and go must not fill the log.
const LOGGED: usize = 50;

#[derive(Debug)]
pub(super) struct LoggedNames {
    /// The log message.
    message: &'static str,
    names: BTreeSet<String>,
    logged: usize,
}

impl LoggedNames {
    pub(super) fn new(message: &'static str) -> Self {
        Self { message, names: BTreeSet::new(), logged: 0 }
    }

    pub(super) fn add(&mut self, name: &str, reason: &impl Display) {
        if self.names.len() < COUNTED && self.names.insert(name.to_owned()) {
            self.logged += 1;
            match self.logged {
                ..LOGGED => tracing::warn!(child = name, %reason, "{}", self.message),
                LOGGED => {
                    tracing::warn!(child = name, %reason, "{}; further names are not logged", self.message)
                }
                _ => {}
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Forgets all names but these, which are sorted.
    pub(super) fn retain(&mut self, sorted: &[&str]) {
        self.names.retain(|name| sorted.binary_search(&name.as_str()).is_ok());
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

#[cfg(test)]
mod tests;
