//! Names with which something is wrong: counted, and named once in a log.

use std::collections::BTreeSet;
use std::fmt::Display;

/// How many are told apart and counted.
const COUNTED: usize = 1_000;

/// How many are logged in the life of a watcher: names that come and go must not fill a log.
const LOGGED: usize = 50;

#[derive(Debug)]
pub(super) struct Skipped {
    /// What the log says about them.
    what: &'static str,
    names: BTreeSet<String>,
    logged: usize,
}

impl Skipped {
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged meanwhile, line by line.
    fn logged(act: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        tracing::subscriber::with_default(subscriber.finish(), act);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_name_is_logged_once_for_as_long_as_it_is_there() {
        let lines = logged(|| {
            let mut skipped = Skipped::new("skipped");
            for name in ["a", "b", "a", "b"] {
                skipped.add(name, &"no port");
            }
            assert_eq!(skipped.len(), 2);
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        for (line, name) in lines.iter().zip(["a", "b"]) {
            assert!(line.contains("skipped") && line.contains("no port"), "{line}");
            assert!(line.contains(&format!("child=\"{name}\"")), "{line}");
        }
    }

    #[test]
    fn names_that_come_and_go_fill_no_log_and_no_memory() {
        let lines = logged(|| {
            let mut skipped = Skipped::new("skipped");
            for round in 0..10 {
                for number in 0..2_000 {
                    skipped.add(&format!("{round}-{number}"), &"no port");
                }
                assert_eq!(skipped.len(), COUNTED);
                skipped.retain(&[]);
            }
        });
        assert_eq!(lines.len(), LOGGED);
        assert!(lines[LOGGED - 1].contains("not logged"), "{lines:?}");
    }
}
