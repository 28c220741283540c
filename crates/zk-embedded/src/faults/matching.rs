use super::Op;
use super::operation::is_a;
use zk_wire::Request;

/// The sessions that a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All sessions, now and later.
    #[default]
    All,
    /// The session with this id.
    Session(i64),
}

impl Scope {
    pub(crate) fn covers(self, session: i64) -> bool {
        match self {
            Self::All => true,
            Self::Session(id) => id == session,
        }
    }
}

/// Which requests a fault strikes: by default the next one of any session, and then no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    pub(super) scope: Scope,
    pub(super) op: Option<Op>,
    pub(super) path: Option<String>,
    pub(super) times: Option<u64>,
}

impl Matching {
    /// Strikes the next request, pings too.
    pub fn any() -> Self {
        Self { scope: Scope::All, op: None, path: None, times: Some(1) }
    }

    /// Strikes the next request of one operation.
    ///
    /// `Create` stands for all four creates, `GetChildren` and `SetWatches` for both of theirs; the later op codes stand for
    /// themselves. What the server does not know or cannot read is of no operation.
    pub fn op(op: Op) -> Self {
        Self { op: Some(op), ..Self::any() }
    }

    /// Strikes only requests of one session.
    pub fn session(self, id: i64) -> Self {
        Self { scope: Scope::Session(id), ..self }
    }

    /// Strikes only requests about one path; a multi is about the paths of all its operations.
    pub fn path(self, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    /// Strikes so many requests.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Strikes until the fault is ended.
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }

    pub(super) fn covers(&self, session: i64, op: Option<Op>, request: Option<&Request>) -> bool {
        self.scope.covers(session)
            && self.op.is_none_or(|wanted| op.is_some_and(|op| is_a(op, wanted)))
            && self.path.as_deref().is_none_or(|path| request.is_some_and(|request| names(request, path)))
    }
}

fn names(request: &Request, path: &str) -> bool {
    request.paths().iter().any(|named| *named == path)
}

impl Default for Matching {
    fn default() -> Self {
        Self::any()
    }
}

/// What happens to the connection on which a reply was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AfterLoss {
    /// The connection is cut, as when the network fails between the write and its reply.
    #[default]
    Cut,
    /// The connection stays. No real network does this: a client that gets later replies may treat it as a protocol error.
    Keep,
}
