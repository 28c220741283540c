use std::collections::BTreeMap;

use tokio::time::Instant;
use zk_embedded::machine::ConnectionId;

/// Something that is to happen at its time.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// An attempt to connect, by its number, reaches the ensemble.
    Dial(u64),
    /// Its outcome reaches the client.
    Dialled(u64),
    /// The next request of a connection reaches the ensemble.
    Arrive(ConnectionId),
    /// Requests of a connection that had to wait may go on.
    Open(ConnectionId),
    /// A reply, by its number on the connection, reaches the client.
    Reply(ConnectionId, u64),
    /// The next event of a connection reaches the client.
    Event(ConnectionId),
    /// The end of a connection reaches the client.
    End(ConnectionId),
    /// The client shows that it lives.
    Ping(ConnectionId),
    /// A server applies transactions, until it has had so many.
    Apply(usize, u64),
    /// A client does not wait any longer for the outcome of an attempt.
    GiveUp(u64),
    /// The servers elect a leader.
    Elect,
    /// The client may have heard nothing for too long.
    Silent(ConnectionId),
}

/// What is to happen, by time, and at one time in the order in which it was planned.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    steps: BTreeMap<(Instant, u64), Step>,
    planned: u64,
}

impl Step {
    /// The attempt to connect that it is a part of.
    pub(crate) fn attempt(&self) -> Option<u64> {
        match self {
            Self::Dial(attempt) | Self::Dialled(attempt) | Self::GiveUp(attempt) => Some(*attempt),
            _ => None,
        }
    }

    /// The connection that something travels on.
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Arrive(connection)
            | Self::Open(connection)
            | Self::Reply(connection, _)
            | Self::Event(connection)
            | Self::End(connection)
            | Self::Ping(connection) => Some(*connection),
            Self::Dial(_)
            | Self::Dialled(_)
            | Self::GiveUp(_)
            | Self::Silent(_)
            | Self::Apply(..)
            | Self::Elect => None,
        }
    }
}

impl Agenda {
    pub(crate) fn plan(&mut self, at: Instant, step: Step) {
        self.planned += 1;
        self.steps.insert((at, self.planned), step);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.steps.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn take(&mut self) -> Option<Step> {
        self.steps.pop_first().map(|(_, step)| step)
    }
}
