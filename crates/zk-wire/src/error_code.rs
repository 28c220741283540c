use crate::codes::codes;

codes! {
    /// ZooKeeper's error codes (`KeeperException.Code`).
    ErrorCode, "code"
    /// No error. In a failed multi: an operation before the one that failed.
    Ok = 0 "OK",
    /// The server failed.
    SystemError = -1 "SYSTEMERROR",
    /// In a failed multi: an operation behind the one that failed.
    RuntimeInconsistency = -2 "RUNTIMEINCONSISTENCY",
    /// The server found a contradiction in its data.
    DataInconsistency = -3 "DATAINCONSISTENCY",
    /// The connection is lost; clients only, servers do not send it.
    ConnectionLoss = -4 "CONNECTIONLOSS",
    /// The server cannot read the request.
    MarshallingError = -5 "MARSHALLINGERROR",
    /// The server does not know the op code.
    Unimplemented = -6 "UNIMPLEMENTED",
    /// The operation took too long.
    OperationTimeout = -7 "OPERATIONTIMEOUT",
    /// A path or a flag is not valid.
    BadArguments = -8 "BADARGUMENTS",
    /// The server does not know the session.
    UnknownSession = -12 "UNKNOWNSESSION",
    /// The new members have no quorum that follows the leader.
    NewConfigNoQuorum = -13 "NEWCONFIGNOQUORUM",
    /// Another reconfiguration is under way.
    ReconfigInProgress = -14 "RECONFIGINPROGRESS",
    /// The first number of the errors of single requests; not sent itself.
    ApiError = -100 "APIERROR",
    /// The znode, or its parent, does not exist.
    NoNode = -101 "NONODE",
    /// The ACL does not allow it.
    NoAuth = -102 "NOAUTH",
    /// The znode has another version.
    BadVersion = -103 "BADVERSION",
    /// An ephemeral znode cannot have children.
    NoChildrenForEphemerals = -108 "NOCHILDRENFOREPHEMERALS",
    /// The znode exists.
    NodeExists = -110 "NODEEXISTS",
    /// The znode has children.
    NotEmpty = -111 "NOTEMPTY",
    /// The session has expired, or its password is wrong.
    SessionExpired = -112 "SESSIONEXPIRED",
    /// Clients only: a callback is missing.
    InvalidCallback = -113 "INVALIDCALLBACK",
    /// The ACL is empty, or has an entry that the server cannot use.
    InvalidAcl = -114 "INVALIDACL",
    /// The server does not accept the credentials.
    AuthFailed = -115 "AUTHFAILED",
    /// The session has moved to another connection.
    SessionMoved = -118 "SESSIONMOVED",
    /// The server has no quorum and serves reads only.
    NotReadOnly = -119 "NOTREADONLY",
    /// A local session cannot own an ephemeral znode.
    EphemeralOnLocalSession = -120 "EPHEMERALONLOCALSESSION",
    /// There is no such watch.
    NoWatcher = -121 "NOWATCHER",
    /// The request took too long.
    RequestTimeout = -122 "REQUESTTIMEOUT",
    /// The server does not allow `reconfig`, which is the default.
    ReconfigDisabled = -123 "RECONFIGDISABLED",
    /// The server requires that the session authenticates by SASL first, and closes it.
    SessionClosedRequireSaslAuth = -124 "SESSIONCLOSEDREQUIRESASLAUTH",
    /// A quota of the tree is used up.
    QuotaExceeded = -125 "QUOTAEXCEEDED",
    /// The server throttles requests, and did not carry this one out.
    ThrottledOp = -127 "THROTTLEDOP",
}
