use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::time::Instant;

use super::tally::Tally;

/// A line that is written over and over on a terminal, and a line now and then elsewhere.
pub(super) struct Progress {
    seeds: Option<u64>,
    time: Option<Duration>,
    is_terminal: bool,
    shown: Instant,
    width: usize,
}

impl Progress {
    pub(super) fn new(seeds: Option<u64>, time: Option<Duration>) -> Self {
        Self { seeds, time, is_terminal: io::stderr().is_terminal(), shown: Instant::now(), width: 0 }
    }

    /// Shows how far it is, if it is time to.
    pub(super) fn show(&mut self, tally: &Tally) {
        let pause = if self.is_terminal { Duration::from_millis(250) } else { Duration::from_secs(10) };
        if self.shown.elapsed() < pause {
            return;
        }
        self.shown = Instant::now();
        let line = self.line(tally);
        if self.is_terminal {
            // Progress that cannot be written is missed by nobody.
            _ = write!(io::stderr(), "\r{line:<width$}", width = self.width);
            self.width = line.len();
        } else {
            eprintln!("{line}");
        }
    }

    /// Clears the line.
    pub(super) fn end(&mut self) {
        if self.is_terminal && self.width > 0 {
            _ = write!(io::stderr(), "\r{:<width$}\r", "", width = self.width);
        }
    }

    fn line(&self, tally: &Tally) -> String {
        let seeds = match self.seeds {
            Some(all) => format!("{} of {all} seeds", tally.seeds),
            None => format!("{} seeds", tally.seeds),
        };
        let time = match self.time {
            Some(all) => format!("{} of {} s", tally.wall.as_secs(), all.as_secs()),
            None => format!("{} s", tally.wall.as_secs()),
        };
        format!("{seeds}, {time}, {:.0} a second, {} failed", tally.rate(), tally.failures.len())
    }
}
