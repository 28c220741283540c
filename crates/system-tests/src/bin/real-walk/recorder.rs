//! A file of records: each process of the walk appends to its own, a line each, unbuffered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oracle::{Record, What};
use parking_lot::Mutex;

use crate::clock::Clock;

/// Appends records to a file. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    clock: Clock,
    file: Arc<Mutex<File>>,
}

impl Recorder {
    pub(crate) fn open(path: &Path, clock: Clock) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { clock, file: Arc::new(Mutex::new(file)) })
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Records what happens now.
    pub(crate) fn record(&self, what: What) {
        self.record_at(self.clock.now(), what);
    }

    /// # Panics
    /// If it cannot be written: a history with gaps proves nothing.
    pub(crate) fn record_at(&self, at: Duration, what: What) {
        let mut line = serde_json::to_vec(&Record { at, what }).expect("a record is JSON");
        line.push(b'\n');
        self.file.lock().write_all(&line).expect("the history can be written");
    }
}

/// Reads the records of one file. The last line of a process that was killed may be cut short.
pub(crate) fn read(path: &Path) -> Result<Vec<Record>, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let record = |line: &[u8]| {
        serde_json::from_slice(line)
            .map_err(|error| format!("{}: {error}: {}", path.display(), String::from_utf8_lossy(line)))
    };
    lines.map(record).collect()
}
