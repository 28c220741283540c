//! How reliable a fleet was, in numbers: the times of all pairs of a client and an instance, and those of calls.

mod samples;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use samples::Samples;

/// How reliable a fleet was. Figures of several runs can be added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// From the creation of a znode until a live view shows it.
    pub join: Samples,
    /// From a leave that was told until a live view does not show it.
    pub leave: Samples,
    /// From any other deletion until a live view does not show it; a hold counts.
    pub removal: Samples,
    /// From a write until a live view that reads records shows it.
    pub update: Samples,
    /// From the end of a process that was killed until a live view does not show it.
    pub dead: Samples,
    /// From the end of a session until its process has its znode again.
    pub registered_again: Samples,
    /// The time of calls that were answered.
    pub answered: Samples,
    /// The time of calls that failed.
    pub failed: Samples,
    /// How often a view showed, without holding it, what had not been listed for longer than that may last.
    pub ghosts: u64,
    /// How often a live view lacked what had been listed for longer than that may last.
    pub losses: u64,
}

impl Figures {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        let mine = [
            &mut self.join,
            &mut self.leave,
            &mut self.removal,
            &mut self.update,
            &mut self.dead,
            &mut self.registered_again,
            &mut self.answered,
            &mut self.failed,
        ];
        for (mine, (_, theirs)) in mine.into_iter().zip(other.samples()) {
            mine.add(theirs);
        }
        self.ghosts += other.ghosts;
        self.losses += other.losses;
    }

    fn samples(&self) -> [(&'static str, &Samples); 8] {
        [
            ("join shown", &self.join),
            ("leave shown", &self.leave),
            ("removal shown", &self.removal),
            ("update shown", &self.update),
            ("dead gone", &self.dead),
            ("registered again", &self.registered_again),
            ("call answered", &self.answered),
            ("call failed", &self.failed),
        ]
    }
}

/// A table: a line for each kind of time, with its quantiles.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:17}{:>9}{:>10}{:>10}{:>10}{:>10}", "", "count", "50 %", "95 %", "99 %", "100 %")?;
        for (name, samples) in self.samples() {
            write!(f, "{name:17}{:>9}", samples.count())?;
            for share in [0.5, 0.95, 0.99, 1.0] {
                match samples.quantile(share) {
                    Some(time) => write!(f, "{:>8.3} s", time.as_secs_f64())?,
                    None => write!(f, "{:>10}", "-")?,
                }
            }
            writeln!(f)?;
        }
        write!(f, "ghosts {}, losses {}", self.ghosts, self.losses)
    }
}
