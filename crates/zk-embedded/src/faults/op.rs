use zk_wire::Request;

/// The kinds of requests that faults distinguish; [`OpCode`](zk_wire::OpCode) is finer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// The first frame of a connection; its session is the one that it asks for, 0 for a new one.
    Connect,
    /// create, create2, createContainer, createTTL.
    Create,
    /// delete.
    Delete,
    /// exists.
    Exists,
    /// getData.
    GetData,
    /// setData.
    SetData,
    /// getACL.
    GetAcl,
    /// setACL.
    SetAcl,
    /// getChildren, getChildren2.
    GetChildren,
    /// getAllChildrenNumber.
    GetAllChildrenNumber,
    /// getEphemerals.
    GetEphemerals,
    /// sync.
    Sync,
    /// ping.
    Ping,
    /// A check outside of a multi.
    Check,
    /// multi.
    Multi,
    /// multiRead.
    MultiRead,
    /// auth.
    Auth,
    /// setWatches, setWatches2.
    SetWatches,
    /// addWatch.
    AddWatch,
    /// checkWatches.
    CheckWatches,
    /// removeWatches.
    RemoveWatches,
    /// whoAmI.
    WhoAmI,
    /// closeSession.
    CloseSession,
    /// What the server does not know or cannot read.
    Other,
}

impl Op {
    /// Returns the kind of a request.
    pub fn of(request: &Request) -> Self {
        match request {
            Request::Create { .. } => Self::Create,
            Request::Delete { .. } => Self::Delete,
            Request::Exists { .. } => Self::Exists,
            Request::GetData { .. } => Self::GetData,
            Request::SetData { .. } => Self::SetData,
            Request::GetAcl { .. } => Self::GetAcl,
            Request::SetAcl { .. } => Self::SetAcl,
            Request::GetChildren { .. } | Request::GetChildren2 { .. } => Self::GetChildren,
            Request::GetAllChildrenNumber { .. } => Self::GetAllChildrenNumber,
            Request::GetEphemerals { .. } => Self::GetEphemerals,
            Request::Sync { .. } => Self::Sync,
            Request::Ping => Self::Ping,
            Request::Check { .. } => Self::Check,
            Request::Multi { .. } => Self::Multi,
            Request::MultiRead { .. } => Self::MultiRead,
            Request::Auth { .. } => Self::Auth,
            Request::SetWatches { .. } | Request::SetWatches2 { .. } => Self::SetWatches,
            Request::AddWatch { .. } => Self::AddWatch,
            Request::CheckWatches { .. } => Self::CheckWatches,
            Request::RemoveWatches { .. } => Self::RemoveWatches,
            Request::WhoAmI => Self::WhoAmI,
            Request::CloseSession => Self::CloseSession,
            Request::Unknown { .. } | Request::Malformed { .. } => Self::Other,
        }
    }
}

/// Returns Apache ZooKeeper's short name of an operation, as its `cons` prints it.
pub(crate) fn short_name(request: &Request) -> &'static str {
    match request {
        Request::Create { .. } => "CREA",
        Request::Delete { .. } => "DELE",
        Request::Exists { .. } => "EXIS",
        Request::GetData { .. } => "GETD",
        Request::SetData { .. } => "SETD",
        Request::GetAcl { .. } => "GETA",
        Request::SetAcl { .. } => "SETA",
        Request::GetChildren { .. } | Request::GetChildren2 { .. } => "GETC",
        Request::GetAllChildrenNumber { .. } => "GETACN",
        Request::GetEphemerals { .. } => "GETE",
        Request::Sync { .. } => "SYNC",
        Request::Ping => "PING",
        Request::Check { .. } => "CHEC",
        Request::Multi { .. } => "MULT",
        Request::MultiRead { .. } => "MLTR",
        Request::SetWatches { .. } => "SETW",
        Request::SetWatches2 { .. } => "STW2",
        Request::AddWatch { .. } => "ADDW",
        Request::CheckWatches { .. } => "CHKW",
        Request::RemoveWatches { .. } => "REMW",
        Request::WhoAmI => "HOMI",
        Request::CloseSession => "CLOS",
        Request::Auth { .. } | Request::Unknown { .. } | Request::Malformed { .. } => "NA",
    }
}
