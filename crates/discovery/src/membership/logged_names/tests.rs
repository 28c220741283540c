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

/// Returns the log lines of a closure.
fn logged(act: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    tracing::subscriber::with_default(subscriber.finish(), act);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_name_is_logged_once_as_long_as_it_is_listed() {
    let lines = logged(|| {
        let mut names = LoggedNames::new("child skipped: not an instance");
        for name in ["a", "b", "a", "b"] {
            names.add(name, &"no port");
        }
        assert_eq!(names.len(), 2);
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, name) in lines.iter().zip(["a", "b"]) {
        assert!(line.contains("child skipped: not an instance") && line.contains("no port"), "{line}");
        assert!(line.contains(&format!("child=\"{name}\"")), "{line}");
    }
}

#[test]
fn names_that_come_and_go_fill_neither_the_log_nor_memory() {
    let lines = logged(|| {
        let mut names = LoggedNames::new("child skipped: not an instance");
        for round in 0..10 {
            for number in 0..2_000 {
                names.add(&format!("{round}-{number}"), &"no port");
            }
            assert_eq!(names.len(), COUNTED);
            names.retain(&[]);
        }
    });
    assert_eq!(lines.len(), LOGGED);
    assert!(lines[LOGGED - 1].contains("not logged"), "{lines:?}");
}
