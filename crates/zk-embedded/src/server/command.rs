use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::Shutdown;
use super::outgoing::Outgoing;
use crate::faults::FaultCommand;
use crate::machine::ConnectionId;
use crate::report::Report;
use zk_wire::{ConnectRequest, Framed};

/// How many commands may wait for the machine. Every connection has few of them under way, so this is for many connections.
pub(super) const QUEUE: usize = 1024;

pub(crate) type Commands = mpsc::Sender<Command>;

/// A command to the task of the machine.
#[derive(Debug)]
pub(crate) enum Command {
    /// A client connected.
    Opened { connection: ConnectionId, peer: SocketAddr, outgoing: Arc<Outgoing> },
    /// A connection received something; commands come in this order.
    Incoming { connection: ConnectionId, incoming: Incoming },
    /// A client has read what was queued for it.
    Drained { connection: ConnectionId },
    /// A fault to inject, or to end.
    Fault(FaultCommand),
    /// The server shuts down.
    Shutdown(Shutdown),
}

/// Something that a connection received.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The first frame.
    Connect(ConnectRequest),
    /// Later frames, and the permit that lets the connection read more of them.
    Requests(Vec<Framed>, OwnedSemaphorePermit),
    /// A four-letter word that asks for facts.
    Report(oneshot::Sender<Report>),
    /// The connection is closed.
    Gone,
}
