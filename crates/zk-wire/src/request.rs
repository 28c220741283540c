mod decode;
mod encode;

pub use decode::DecodeError;

use crate::{Acl, OpCode};

/// A frame from a client, after the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    /// The client's number of the request; the reply has the same.
    pub xid: i32,
    /// The request.
    pub request: Request,
}

/// A request of a client. Data and ACLs may be null.
#[expect(missing_docs, reason = "the fields are those of the wire, and each is clear from its request")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// create (1), create2 (15), createContainer (19), createTTL (21).
    Create {
        kind: CreateKind,
        path: String,
        data: Option<Vec<u8>>,
        acl: Option<Vec<Acl>>,
        flags: i32,
        ttl: i64,
    },
    /// delete (2); version -1 is any.
    Delete { path: String, version: i32 },
    /// exists (3).
    Exists { path: String, watch: bool },
    /// getData (4).
    GetData { path: String, watch: bool },
    /// setData (5).
    SetData { path: String, data: Option<Vec<u8>>, version: i32 },
    /// getACL (6).
    GetAcl { path: String },
    /// setACL (7).
    SetAcl { path: String, acl: Option<Vec<Acl>>, version: i32 },
    /// getChildren (8).
    GetChildren { path: String, watch: bool },
    /// getChildren2 (12).
    GetChildren2 { path: String, watch: bool },
    /// sync (9).
    Sync { path: String },
    /// ping (11), with xid -2.
    Ping,
    /// check (13): in a multi, and nowhere else.
    Check { path: String, version: i32 },
    /// multi (14): creates, deletes, setDatas and checks, all or nothing.
    Multi { operations: Vec<Request> },
    /// multiRead (22): getDatas and getChildrens, each with its own result.
    MultiRead { operations: Vec<Request> },
    /// auth (100), with xid -4.
    Auth { kind: i32, scheme: String, data: Option<Vec<u8>> },
    /// setWatches (101), with xid -8.
    SetWatches { relative_zxid: i64, data: Vec<String>, exist: Vec<String>, child: Vec<String> },
    /// setWatches2 (105), with xid -8.
    SetWatches2 {
        relative_zxid: i64,
        data: Vec<String>,
        exist: Vec<String>,
        child: Vec<String>,
        persistent: Vec<String>,
        persistent_recursive: Vec<String>,
    },
    /// addWatch (106): mode 0 is persistent, 1 is persistent recursive.
    AddWatch { path: String, mode: i32 },
    /// checkWatches (17): kind 1 children, 2 data, 3 any.
    CheckWatches { path: String, kind: i32 },
    /// removeWatches (18): kind as in checkWatches.
    RemoveWatches { path: String, kind: i32 },
    /// getEphemerals (103).
    GetEphemerals { prefix: String },
    /// getAllChildrenNumber (104).
    GetAllChildrenNumber { path: String },
    /// whoAmI (107).
    WhoAmI,
    /// closeSession (-11).
    CloseSession,
    /// An op code that a client does not send, or that is not read here: reconfig (16), deleteContainer (20), sasl (102).
    Unknown { op_code: OpCode },
    /// A request with a body that cannot be read; the reply is MARSHALLINGERROR.
    Malformed { op_code: OpCode },
}

/// The four requests that create one znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreateKind {
    /// create (1): the reply has the path.
    Create,
    /// create2 (15): the reply has path and stat.
    Create2,
    /// createContainer (19): the reply is that of create2.
    Container,
    /// createTTL (21): the reply is that of create2.
    Ttl,
}

/// The paths of a request, as references of either kind.
macro_rules! paths {
    ($request:ident, $iter:ident, $paths:ident) => {
        match $request {
            Self::Create { path, .. }
            | Self::Delete { path, .. }
            | Self::Exists { path, .. }
            | Self::GetData { path, .. }
            | Self::SetData { path, .. }
            | Self::GetAcl { path }
            | Self::SetAcl { path, .. }
            | Self::GetChildren { path, .. }
            | Self::GetChildren2 { path, .. }
            | Self::Sync { path }
            | Self::Check { path, .. }
            | Self::AddWatch { path, .. }
            | Self::CheckWatches { path, .. }
            | Self::RemoveWatches { path, .. }
            | Self::GetEphemerals { prefix: path }
            | Self::GetAllChildrenNumber { path } => vec![path],
            Self::Multi { operations } | Self::MultiRead { operations } => {
                operations.$iter().flat_map(|operation| operation.$paths()).collect()
            }
            Self::SetWatches { data, exist, child, .. } => {
                data.$iter().chain(exist.$iter()).chain(child.$iter()).collect()
            }
            Self::SetWatches2 { data, exist, child, persistent, persistent_recursive, .. } => {
                let one_shot = data.$iter().chain(exist.$iter()).chain(child.$iter());
                one_shot.chain(persistent.$iter()).chain(persistent_recursive.$iter()).collect()
            }
            Self::Ping
            | Self::Auth { .. }
            | Self::WhoAmI
            | Self::CloseSession
            | Self::Unknown { .. }
            | Self::Malformed { .. } => Vec::new(),
        }
    };
}

impl Request {
    /// Returns its number on the wire.
    pub fn op_code(&self) -> OpCode {
        match self {
            Self::Create { kind: CreateKind::Create, .. } => OpCode::Create,
            Self::Create { kind: CreateKind::Create2, .. } => OpCode::Create2,
            Self::Create { kind: CreateKind::Container, .. } => OpCode::CreateContainer,
            Self::Create { kind: CreateKind::Ttl, .. } => OpCode::CreateTtl,
            Self::Delete { .. } => OpCode::Delete,
            Self::Exists { .. } => OpCode::Exists,
            Self::GetData { .. } => OpCode::GetData,
            Self::SetData { .. } => OpCode::SetData,
            Self::GetAcl { .. } => OpCode::GetAcl,
            Self::SetAcl { .. } => OpCode::SetAcl,
            Self::GetChildren { .. } => OpCode::GetChildren,
            Self::GetChildren2 { .. } => OpCode::GetChildren2,
            Self::Sync { .. } => OpCode::Sync,
            Self::Ping => OpCode::Ping,
            Self::Check { .. } => OpCode::Check,
            Self::Multi { .. } => OpCode::Multi,
            Self::MultiRead { .. } => OpCode::MultiRead,
            Self::Auth { .. } => OpCode::Auth,
            Self::SetWatches { .. } => OpCode::SetWatches,
            Self::SetWatches2 { .. } => OpCode::SetWatches2,
            Self::AddWatch { .. } => OpCode::AddWatch,
            Self::CheckWatches { .. } => OpCode::CheckWatches,
            Self::RemoveWatches { .. } => OpCode::RemoveWatches,
            Self::GetEphemerals { .. } => OpCode::GetEphemerals,
            Self::GetAllChildrenNumber { .. } => OpCode::GetAllChildrenNumber,
            Self::WhoAmI => OpCode::WhoAmI,
            Self::CloseSession => OpCode::CloseSession,
            Self::Unknown { op_code } | Self::Malformed { op_code } => *op_code,
        }
    }

    /// Returns the paths that it names, in the order of the wire; of a multi those of all operations.
    pub fn paths(&self) -> Vec<&String> {
        paths!(self, iter, paths)
    }

    /// Returns the paths that it names, to be changed.
    pub fn paths_mut(&mut self) -> Vec<&mut String> {
        paths!(self, iter_mut, paths_mut)
    }
}
