use zk_wire::{ConnectResponse, ErrorCode, Response, WatchEvent};

/// The number of a connection. The driver of a [`Machine`](super::Machine) assigns them, each once.
pub type ConnectionId = u64;

/// One thing that the driver of the machine has to do; it does them in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the reply to the first frame.
    Connected {
        /// Where to.
        connection: ConnectionId,
        /// The session, or that there is none.
        response: ConnectResponse,
    },
    /// Send the reply to a request.
    Reply {
        /// Where to.
        connection: ConnectionId,
        /// The request's number.
        xid: i32,
        /// The newest transaction, or what Apache ZooKeeper sends in its place.
        zxid: i64,
        /// The response, or the error.
        result: Result<Response, ErrorCode>,
    },
    /// Send the event of a watch that fired.
    Event {
        /// Where to.
        connection: ConnectionId,
        /// The transaction that caused it; -1 if the event does not say.
        zxid: i64,
        /// The event.
        event: WatchEvent,
    },
    /// Close a connection when everything before is sent; the machine has forgotten it.
    Close {
        /// Which one.
        connection: ConnectionId,
    },
    /// Nothing to do: a session is over and its ephemeral znodes are gone.
    SessionEnded {
        /// Which one.
        session: i64,
        /// Whether it was silent for too long, rather than closed by its client.
        expired: bool,
    },
}
