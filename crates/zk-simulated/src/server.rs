//! One server of an ensemble, and how a client chooses one.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use tokio::time::Instant;
use zk_embedded::machine::Machine;

/// A server: a leader carries out transactions, a follower applies them later.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) machine: Machine,
    pub(crate) is_up: bool,
    /// How many transactions of the journal it has.
    pub(crate) applied: u64,
    /// How much later than the leader it applies one.
    pub(crate) lag: RangeInclusive<Duration>,
    /// When it applies the last one that is planned.
    pub(crate) last_apply: Instant,
}

/// How a client chooses servers, as the link of zk-core does: in random order, those that failed last at the end.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Servers whose last connection failed, the latest failure at the end.
    suspects: Vec<usize>,
    /// The server of the latest connection.
    latest: Option<usize>,
}

impl Choice {
    /// The order in which to try the servers now.
    pub(crate) fn order(&mut self, servers: usize, rng: &mut SmallRng) -> Vec<usize> {
        if let Some(lost) = self.latest.take() {
            self.failed(lost);
        }
        let mut order: Vec<_> = (0..servers).collect();
        order.shuffle(rng);
        order.sort_by_key(|server| self.suspects.iter().position(|suspect| suspect == server));
        order
    }

    pub(crate) fn failed(&mut self, server: usize) {
        self.replied(server);
        self.suspects.push(server);
    }

    /// The server is no suspect any more.
    pub(crate) fn replied(&mut self, server: usize) {
        self.suspects.retain(|suspect| *suspect != server);
    }

    pub(crate) fn connected(&mut self, server: usize) {
        self.replied(server);
        self.latest = Some(server);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn servers_that_failed_come_last_the_latest_failure_at_the_end() {
        let (mut choice, mut rng) = (Choice::default(), SmallRng::seed_from_u64(1));
        let mut first = [0; 4];
        for _ in 0..100 {
            first[choice.order(4, &mut rng)[0]] += 1;
        }
        assert!(first.iter().all(|times| *times > 5), "{first:?}");
        choice.connected(3);
        choice.failed(1);
        for _ in 0..20 {
            assert_eq!(choice.order(4, &mut rng)[2..], [1, 3], "its last connection was lost");
        }
        choice.replied(1);
        assert_eq!(choice.order(4, &mut rng)[3], 3);
    }
}
