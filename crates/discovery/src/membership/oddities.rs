//! Names with which something is wrong: counted, and named once in a log.

use std::collections::BTreeSet;
use std::fmt::Display;

/// How many are told apart and counted.
const COUNTED: usize = 1_000;

/// How many are logged in the life of a watcher: names that come and go must not fill a log.
const LOGGED: usize = 50;

#[derive(Debug)]
pub(super) struct Oddities {
    /// What the log says about them.
    what: &'static str,
    names: BTreeSet<String>,
    logged: usize,
}

impl Oddities {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, names: BTreeSet::new(), logged: 0 }
    }

    pub(super) fn add(&mut self, name: &str, why: &impl Display) {
        if self.names.len() < COUNTED && self.names.insert(name.to_owned()) {
            self.logged += 1;
            match self.logged {
                ..LOGGED => tracing::warn!(child = name, %why, "{}", self.what),
                LOGGED => tracing::warn!(child = name, %why, "{}; further ones are not logged", self.what),
                _ => {}
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Only these are left.
    pub(super) fn retain(&mut self, names: &[String]) {
        if !self.names.is_empty() {
            let names: BTreeSet<_> = names.iter().collect();
            self.names.retain(|name| names.contains(name));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}
