//! Containers and znodes with a time to live: a periodic check deletes those that may go.

use super::owner::Owner;
use super::znode::Znode;
use super::{Machine, Output};

/// When the next check is due.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    every_ms: i64,
    next: Option<i64>,
}

impl Sweep {
    /// Checks once in so many milliseconds, at least 1.
    pub(super) fn new(every_ms: i64) -> Self {
        Self { every_ms: every_ms.max(1), next: None }
    }

    /// Starts the interval at the first time that the machine sees.
    pub(super) fn start(&mut self, now: i64) {
        self.next.get_or_insert(now + self.every_ms);
    }

    /// Returns when the next check is due.
    pub(super) fn due(&self) -> Option<i64> {
        self.next
    }

    /// Skips the checks that are due until `now`.
    pub(super) fn skip(&mut self, now: i64) {
        if let Some(next) = self.next.as_mut().filter(|next| **next <= now) {
            *next += ((now - *next) / self.every_ms + 1) * self.every_ms;
        }
    }
}

impl Machine {
    /// Checks all candidates; each deletion is a transaction of its own.
    ///
    /// All are chosen before the first one is deleted: a container that holds a container waits for the next check.
    /// Where time has jumped, checks that would find nothing more are skipped.
    pub(super) fn sweep_containers(&mut self, due: i64, now: i64, outputs: &mut Vec<Output>) {
        let spent = self.tree.sweepable().filter(|(_, znode)| is_spent(znode, now));
        let paths: Vec<String> = spent.map(|(path, _)| path.clone()).collect();
        let next_change =
            if paths.is_empty() { self.sessions.next_expiry().map_or(now, |at| at.min(now)) } else { due };
        self.sweep.skip(next_change.max(due));
        for path in paths {
            let zxid = self.next_zxid();
            self.delete(&path, zxid, outputs);
        }
    }
}

fn is_spent(znode: &Znode, now: i64) -> bool {
    let may_go = match znode.owner {
        // One that never had a child is new, and waits for its first.
        Owner::Container => znode.creates > 0,
        Owner::Ttl(ttl_ms) => now - znode.mtime > ttl_ms,
        Owner::Persistent | Owner::Session(_) => false,
    };
    may_go && znode.children.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_run_at_whole_intervals_after_the_first_request() {
        let mut sweep = Sweep::new(60);
        assert_eq!(sweep.due(), None);
        sweep.start(1000);
        sweep.start(2000);
        assert_eq!(sweep.due(), Some(1060));
        for (now, due) in [(1059, 1060), (1060, 1120), (1239, 1240), (1240, 1300)] {
            sweep.skip(now);
            assert_eq!(sweep.due(), Some(due), "at {now}");
        }
    }
}
