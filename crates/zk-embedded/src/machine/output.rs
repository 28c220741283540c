use zk_wire::{ConnectResponse, ErrorCode, Response, WatchEvent};

/// Whoever drives a [`Machine`](super::Machine) numbers its connections; a number is not used twice.
pub type ConnectionId = u64;

/// What the outside has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the answer to the first frame.
    Connected {
        /// Where to.
        connection: ConnectionId,
        /// The session, or that there is none.
        response: ConnectResponse,
    },
    /// Send the answer to a request.
    Reply {
        /// Where to.
        connection: ConnectionId,
        /// The request's number.
        xid: i32,
        /// The newest transaction, or what the real server sends in its place.
        zxid: i64,
        /// What came of it.
        result: Result<Response, ErrorCode>,
    },
    /// Tell of a watch that fired.
    Event {
        /// Where to.
        connection: ConnectionId,
        /// What happened.
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
