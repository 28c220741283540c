//! The words of the protocol: requests, replies, events, and the records in them.

/// A frame from a client, after the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    /// The client's number for the request; the reply bears the same.
    pub xid: i32,
    /// What is asked.
    pub request: Request,
}

/// The first frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Always 0.
    pub protocol_version: i32,
    /// The newest zxid that the client has seen.
    pub last_zxid_seen: i64,
    /// The session timeout that the client asks for, in milliseconds.
    pub timeout_ms: i32,
    /// The session to attach to; 0 for a new one.
    pub session_id: i64,
    /// The password of that session.
    pub password: Vec<u8>,
    /// The read-only flag; `None` where the client is too old to send it, and then none is sent back.
    pub read_only: Option<bool>,
}

/// The answer to the first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Always 0.
    pub protocol_version: i32,
    /// The negotiated session timeout in milliseconds; 0 where the session is refused.
    pub timeout_ms: i32,
    /// The session; 0 where it is refused.
    pub session_id: i64,
    /// Its password: 16 bytes.
    pub password: Vec<u8>,
    /// As in the request: sent only if the client sent it.
    pub read_only: Option<bool>,
}

/// What a client asks for.
#[expect(missing_docs, reason = "the fields are those of the wire, and each is clear from its request")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// create (1), create2 (15), createContainer (19), createTTL (21).
    Create { op: CreateOp, path: String, data: Option<Vec<u8>>, acl: Option<Vec<Acl>>, flags: i32, ttl: i64 },
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
    /// An op that the server does not know, or knows and does not do: reconfig (16), deleteContainer (20), sasl (102).
    Unknown { op: i32 },
    /// An op that the server knows, with a body that it cannot read; answered with MARSHALLINGERROR.
    Malformed { op: i32 },
}

/// Which of the creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreateOp {
    /// create (1): answered with the path.
    Create,
    /// create2 (15): answered with path and stat.
    Create2,
    /// createContainer (19): answered as create2.
    Container,
    /// createTTL (21): answered as create2.
    Ttl,
}

/// What the server answers to a request that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Nothing but the header.
    Empty,
    /// create.
    Path(String),
    /// create2 and its kin.
    PathStat(String, Stat),
    /// exists, setData, setACL.
    Stat(Stat),
    /// getData.
    Data(Option<Vec<u8>>, Stat),
    /// getACL.
    Acl(Vec<Acl>, Stat),
    /// getChildren, getEphemerals.
    Strings(Vec<String>),
    /// getChildren2.
    Children(Vec<String>, Stat),
    /// sync.
    Synced(String),
    /// getAllChildrenNumber; also addWatch, which is answered with the number 0.
    Number(i32),
    /// whoAmI: scheme and user of each.
    Users(Vec<(String, String)>),
    /// multi, one for each operation: all results, or all errors.
    Multi(Vec<MultiResult>),
    /// multiRead, one for each operation.
    MultiRead(Vec<MultiResult>),
    /// A multiRead of writes: an error, behind which the real server sends the body of an empty one.
    FailedMultiRead(ErrorCode),
}

/// The result of one operation of a multi or multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiResult {
    /// create.
    Create(String),
    /// create2 and its kin.
    Create2(String, Stat),
    /// delete.
    Delete,
    /// setData.
    SetData(Stat),
    /// check.
    Check,
    /// getData, in a multiRead.
    Data(Option<Vec<u8>>, Stat),
    /// getChildren, in a multiRead.
    Children(Vec<String>),
    /// The error of the operation; in a failed multi every operation has one.
    Error(ErrorCode),
}

/// What the server tells about a watched znode, with xid -1 and zxid -1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// 1 created, 2 deleted, 3 data changed, 4 children changed.
    pub kind: EventKind,
    /// The znode.
    pub path: String,
}

/// The kinds of [`WatchEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum EventKind {
    /// The znode was created.
    Created = 1,
    /// The znode was deleted.
    Deleted = 2,
    /// Its data was written.
    DataChanged = 3,
    /// Its list of children changed.
    ChildrenChanged = 4,
}

/// Who may do what with a znode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acl {
    /// 1 read, 2 write, 4 create, 8 delete, 16 admin.
    pub permissions: i32,
    /// `world`, `auth`, `digest`, `ip`.
    pub scheme: String,
    /// Who, in the words of the scheme.
    pub id: String,
}

/// The facts about a znode, in the order of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Transaction of the creation.
    pub czxid: i64,
    /// Transaction of the last write.
    pub mzxid: i64,
    /// Time of the creation, in milliseconds since 1970.
    pub ctime: i64,
    /// Time of the last write.
    pub mtime: i64,
    /// Writes of the data.
    pub version: i32,
    /// Changes of the children.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// The session that owns it, 0 for none: so for containers and TTLs, too.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// Transaction of the last change of the children.
    pub pzxid: i64,
}

/// ZooKeeper's error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ErrorCode {
    /// In a failed multi: not the one to blame, and before it.
    Ok = 0,
    /// RUNTIMEINCONSISTENCY: in a failed multi, behind the one to blame.
    RuntimeInconsistency = -2,
    /// MARSHALLINGERROR.
    MarshallingError = -5,
    /// UNIMPLEMENTED.
    Unimplemented = -6,
    /// BADARGUMENTS.
    BadArguments = -8,
    /// NONODE.
    NoNode = -101,
    /// NOAUTH.
    NoAuth = -102,
    /// BADVERSION.
    BadVersion = -103,
    /// NOCHILDRENFOREPHEMERALS.
    NoChildrenForEphemerals = -108,
    /// NODEEXISTS.
    NodeExists = -110,
    /// NOTEMPTY.
    NotEmpty = -111,
    /// SESSIONEXPIRED.
    SessionExpired = -112,
    /// INVALIDACL.
    InvalidAcl = -114,
    /// AUTHFAILED.
    AuthFailed = -115,
    /// SESSIONMOVED.
    SessionMoved = -118,
    /// NOWATCHER.
    NoWatcher = -121,
    /// RECONFIGDISABLED: what a server answers to reconfig unless it is told to allow it.
    ReconfigDisabled = -123,
}
