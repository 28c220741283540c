use std::fmt;

use zk_core::transport::Turn;
use zk_core::{ErrorKind, ZnodePath};

use crate::verb::Verb;
use crate::watches::{Watch, Watching};
use crate::wire::Results;

/// What a reply brings.
pub(crate) struct Replied {
    pub(crate) results: Results,
    pub(crate) watching: Option<Watching>,
    /// The newest transaction of the server.
    pub(crate) zxid: i64,
}

/// Hands a reply to its caller; dropped, it tells the caller that the connection is lost.
pub(crate) type Deliver = Box<dyn FnOnce(Result<Replied, ErrorKind>) + Send>;

/// A call of a method of the transport, on its way to the ensemble.
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) path: ZnodePath,
    pub(crate) data: Vec<u8>,
    pub(crate) version: Option<i32>,
    /// How many znodes it is about.
    pub(crate) znodes: usize,
    /// One, or for old servers two or more that run one right behind the other.
    pub(crate) requests: Vec<zk_wire::Request>,
    pub(crate) watch: Option<Watch>,
    pub(crate) deliver: Deliver,
    pub(crate) turn: Turn,
    /// Faults have looked at it already.
    pub(crate) decided: bool,
}

impl Call {
    pub(crate) fn new(verb: Verb, path: &ZnodePath, requests: Vec<zk_wire::Request>) -> Self {
        Self {
            verb,
            path: path.clone(),
            data: Vec::new(),
            version: None,
            znodes: 1,
            requests,
            watch: None,
            deliver: Box::new(|_| {}),
            turn: Turn::default(),
            decided: false,
        }
    }

    /// Whether the leader carries it out.
    pub(crate) fn is_write(&self) -> bool {
        self.requests.iter().any(is_write)
    }

    pub(crate) fn data(mut self, data: &[u8]) -> Self {
        self.data = data.to_vec();
        self
    }

    pub(crate) fn version(mut self, version: Option<i32>) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn watch(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }
}

/// Whether a request is one for the leader.
fn is_write(request: &zk_wire::Request) -> bool {
    use zk_wire::Request::{Check, CloseSession, Create, Delete, Multi, SetAcl, SetData};
    matches!(
        request,
        Create { .. }
            | Delete { .. }
            | SetData { .. }
            | SetAcl { .. }
            | Check { .. }
            | Multi { .. }
            | CloseSession
    )
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {})", self.verb, self.path)
    }
}
