use crate::codes::codes;

codes! {
    /// ZooKeeper's number of an operation (`ZooDefs.OpCode`).
    OpCode, "op"
    /// Creates a znode; the reply has its path.
    Create = 1 "create",
    /// Deletes a znode.
    Delete = 2 "delete",
    /// Reads a znode's stat.
    Exists = 3 "exists",
    /// Reads a znode's data.
    GetData = 4 "getData",
    /// Writes a znode's data.
    SetData = 5 "setData",
    /// Reads a znode's ACL.
    GetAcl = 6 "getACL",
    /// Writes a znode's ACL.
    SetAcl = 7 "setACL",
    /// Lists a znode's children.
    GetChildren = 8 "getChildren",
    /// Waits until the server has caught up with the leader.
    Sync = 9 "sync",
    /// Keeps the session alive.
    Ping = 11 "ping",
    /// Lists a znode's children; the reply has the znode's stat, too.
    GetChildren2 = 12 "getChildren2",
    /// Requires that a znode has a version; in a multi only.
    Check = 13 "check",
    /// Several writes in one transaction.
    Multi = 14 "multi",
    /// Creates a znode; the reply has its path and stat. Clients of 3.5 and later send this one.
    Create2 = 15 "create2",
    /// Changes the members of the ensemble.
    Reconfig = 16 "reconfig",
    /// Asks whether a znode is watched.
    CheckWatches = 17 "checkWatches",
    /// Removes watches.
    RemoveWatches = 18 "removeWatches",
    /// Creates a container: ZooKeeper deletes it some time after its last child.
    CreateContainer = 19 "createContainer",
    /// Deletes an empty container; servers among themselves.
    DeleteContainer = 20 "deleteContainer",
    /// Creates a znode with a time to live.
    CreateTtl = 21 "createTTL",
    /// Several reads in one request.
    MultiRead = 22 "multiRead",
    /// Proves an identity.
    Auth = 100 "auth",
    /// Sets one-shot watches again after a reconnect.
    SetWatches = 101 "setWatches",
    /// A step of SASL.
    Sasl = 102 "sasl",
    /// Lists the session's ephemeral znodes.
    GetEphemerals = 103 "getEphemerals",
    /// Counts the znodes below one.
    GetAllChildrenNumber = 104 "getAllChildrenNumber",
    /// Sets watches of all kinds again after a reconnect.
    SetWatches2 = 105 "setWatches2",
    /// Sets a persistent or a recursive watch.
    AddWatch = 106 "addWatch",
    /// Lists the identities of the session.
    WhoAmI = 107 "whoAmI",
    /// In the result of a multi: an error follows.
    Error = -1 "error",
    /// The connect request. It has no op code on the wire; servers among themselves use this one.
    Connect = -10 "createSession",
    /// Ends the session.
    CloseSession = -11 "closeSession",
}

impl OpCode {
    /// Tells whether this is one of the four that create one znode.
    pub fn is_create(self) -> bool {
        matches!(self, Self::Create | Self::Create2 | Self::CreateContainer | Self::CreateTtl)
    }
}
