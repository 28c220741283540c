use crate::jute::Reader;
use crate::op;

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident = $code:path,)*) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Op {
            /// The first message of a connection, which opens or takes over a session.
            ///
            /// It has no number in the protocol.
            Connect,
            $($(#[$doc])* $name,)*
            /// An operation not listed here, by ZooKeeper's number.
            Other(i32),
        }

        impl Op {
            /// Returns the operation that has this number in the protocol.
            pub fn from_code(code: i32) -> Self {
                match code {
                    $($code => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// Returns the number in the protocol; `None` for [`Connect`](Self::Connect).
            pub fn code(self) -> Option<i32> {
                match self {
                    Self::Connect => None,
                    $(Self::$name => Some($code),)*
                    Self::Other(other) => Some(other),
                }
            }
        }
    };
}

ops! {
    /// Creates a node, answered with its path (1).
    Create = op::CREATE,
    /// Deletes a node (2).
    Delete = op::DELETE,
    /// Looks at a node (3).
    Exists = op::EXISTS,
    /// Reads data (4).
    GetData = op::GET_DATA,
    /// Writes data (5).
    SetData = op::SET_DATA,
    /// Reads an access control list (6).
    GetAcl = op::GET_ACL,
    /// Writes an access control list (7).
    SetAcl = op::SET_ACL,
    /// Lists children (8).
    GetChildren = op::GET_CHILDREN,
    /// Catches up with the leader (9).
    Sync = op::SYNC,
    /// Keeps the session alive (11).
    Ping = op::PING,
    /// Lists children, with the parent's stat (12).
    GetChildren2 = op::GET_CHILDREN2,
    /// Demands a version; a part of a multi (13).
    Check = op::CHECK,
    /// Several writes, all or none (14).
    Multi = op::MULTI,
    /// Creates a node, answered with path and stat; what clients usually send (15).
    Create2 = op::CREATE2,
    /// Asks for a watch (17).
    CheckWatches = op::CHECK_WATCHES,
    /// Takes a watch back (18).
    RemoveWatches = op::REMOVE_WATCHES,
    /// Creates a container (19).
    CreateContainer = op::CREATE_CONTAINER,
    /// Creates a node with a time to live (21).
    CreateTtl = op::CREATE_TTL,
    /// Several reads (22).
    MultiRead = op::MULTI_READ,
    /// Authenticates (100).
    Auth = op::AUTH,
    /// Sets one-shot watches again after a reconnect (101).
    SetWatches = op::SET_WATCHES,
    /// A step of SASL (102).
    Sasl = op::SASL,
    /// Lists the ephemeral nodes of the session (103).
    GetEphemerals = op::GET_EPHEMERALS,
    /// Counts all nodes below one (104).
    GetAllChildrenNumber = op::GET_ALL_CHILDREN_NUMBER,
    /// Sets all kinds of watches again after a reconnect (105).
    SetWatches2 = op::SET_WATCHES2,
    /// Sets a persistent or recursive watch (106).
    AddWatch = op::ADD_WATCH,
    /// Asks for the identities of the session (107).
    WhoAmI = op::WHO_AM_I,
    /// Ends the session (-11).
    CloseSession = op::CLOSE_SESSION,
}

impl Op {
    /// Tells whether this is one of the four operations that create a single node.
    pub fn is_create(self) -> bool {
        matches!(self, Self::Create | Self::Create2 | Self::CreateContainer | Self::CreateTtl)
    }

    fn starts_with_path(self) -> bool {
        !matches!(
            self,
            Self::Connect
                | Self::Ping
                | Self::Multi
                | Self::MultiRead
                | Self::Auth
                | Self::SetWatches
                | Self::SetWatches2
                | Self::Sasl
                | Self::WhoAmI
                | Self::CloseSession
                | Self::Other(_)
        )
    }
}

/// A request that went by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Which connection it came on, counted from 1.
    pub connection: u64,
    /// What it asked for.
    pub op: Op,
    /// By which number its answer is known; 0 for [`Op::Connect`].
    pub xid: i32,
    /// The node it speaks of, if that comes first in the request; not for a multi.
    pub path: Option<String>,
}

impl Seen {
    /// Reads a frame as a client sends it; what is too short to be a request is operation 0.
    pub(super) fn read(connection: u64, frame: &[u8], is_first: bool) -> Self {
        if is_first {
            return Self { connection, op: Op::Connect, xid: 0, path: None };
        }
        let mut reader = Reader(frame.get(4..).unwrap_or_default());
        let xid = reader.int().unwrap_or_default();
        let op = Op::from_code(reader.int().unwrap_or_default());
        let path = if op.starts_with_path() { reader.string().ok() } else { None };
        Self { connection, op, xid, path }
    }
}

/// Chooses requests for a rule: by default the next one, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    what: What,
    path: Option<String>,
    pub(super) skip: u64,
    pub(super) times: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Op(Op),
    Creates,
    Any,
}

impl Match {
    /// Chooses requests of one operation. An [`Op`] can also stand for this itself.
    pub fn op(op: Op) -> Self {
        Self::new(What::Op(op))
    }

    /// Chooses requests that create one node, by whichever operation.
    pub fn creates() -> Self {
        Self::new(What::Creates)
    }

    /// Chooses every request, connects and pings included.
    pub fn any() -> Self {
        Self::new(What::Any)
    }

    /// Only requests for this path; those that do not begin with a path never match.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Lets so many matching requests go by first; the default is 0.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Chooses so many requests instead of one; 0 for none.
    #[must_use]
    pub fn times(mut self, requests: u64) -> Self {
        self.times = requests;
        self
    }

    /// Chooses all requests until the rule is lifted.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    pub(super) fn fits(&self, seen: &Seen) -> bool {
        let what = match self.what {
            What::Op(op) => op == seen.op,
            What::Creates => seen.op.is_create(),
            What::Any => true,
        };
        what && (self.path.is_none() || self.path == seen.path)
    }

    fn new(what: What) -> Self {
        Self { what, path: None, skip: 0, times: 1 }
    }
}

impl From<Op> for Match {
    fn from(op: Op) -> Self {
        Self::op(op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Writer;

    #[test]
    fn a_request_is_read_with_its_path() {
        let frame = Writer::new().int(7).int(15).string("/a").frame();
        let seen = Seen::read(3, &frame, false);
        assert_eq!(seen, Seen { connection: 3, op: Op::Create2, xid: 7, path: Some("/a".into()) });
        assert!(Match::creates().path("/a").fits(&seen));
        assert!(!Match::creates().path("/b").fits(&seen));
        assert!(!Match::op(Op::Create).fits(&seen));
    }

    #[test]
    fn garbage_is_no_request() {
        for length in 0..12 {
            assert_eq!(Seen::read(1, &vec![0xff; length], false).path, None);
        }
    }

    #[test]
    fn numbers_and_operations_agree() {
        for code in -20..200 {
            assert_eq!(Op::from_code(code).code(), Some(code));
        }
        assert_eq!(Op::from_code(106), Op::AddWatch);
        assert_eq!(Op::Connect.code(), None);
    }
}
