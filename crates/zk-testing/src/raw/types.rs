use crate::jute::{Malformed, Reader, Writer};

/// What ZooKeeper knows about a node besides its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stat {
    /// The transaction that created the node.
    pub czxid: i64,
    /// The transaction that last wrote its data.
    pub mzxid: i64,
    /// When it was created, in milliseconds since 1970.
    pub ctime: i64,
    /// When its data was last written, in milliseconds since 1970.
    pub mtime: i64,
    /// How often its data was written since its creation.
    pub version: i32,
    /// How often its set of children changed.
    pub cversion: i32,
    /// How often its ACL changed.
    pub aversion: i32,
    /// The session that owns it, or 0 for one that is not ephemeral.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// The transaction that last changed its set of children.
    pub pzxid: i64,
}

impl Stat {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            czxid: reader.long()?,
            mzxid: reader.long()?,
            ctime: reader.long()?,
            mtime: reader.long()?,
            version: reader.int()?,
            cversion: reader.int()?,
            aversion: reader.int()?,
            ephemeral_owner: reader.long()?,
            data_length: reader.int()?,
            num_children: reader.int()?,
            pzxid: reader.long()?,
        })
    }
}

/// How long a node lives, and how it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreateMode {
    /// Until it is deleted.
    Persistent,
    /// Until its session ends.
    Ephemeral,
    /// Until it is deleted; the server appends a counter to the name.
    PersistentSequential,
    /// Until its session ends; the server appends a counter to the name.
    EphemeralSequential,
    /// Until it has had children and the last of them has gone.
    Container,
}

impl CreateMode {
    pub(super) fn flags(self) -> i32 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral => 1,
            Self::PersistentSequential => 2,
            Self::EphemeralSequential => 3,
            Self::Container => 4,
        }
    }
}

/// Bits of [`Acl::permissions`].
pub mod permission {
    /// Data and children may be read.
    pub const READ: i32 = 1;
    /// Data may be written.
    pub const WRITE: i32 = 2;
    /// Children may be created.
    pub const CREATE: i32 = 4;
    /// Children may be deleted.
    pub const DELETE: i32 = 8;
    /// The ACL may be changed.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

/// One entry of an access control list: who may do what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acl {
    /// Bits of [`permission`].
    pub permissions: i32,
    /// How the identity was proved, such as `world`, `digest`, `ip`.
    pub scheme: String,
    /// Who, in the words of the scheme.
    pub id: String,
}

impl Acl {
    /// Makes an entry of its three parts.
    pub fn new(permissions: i32, scheme: impl Into<String>, id: impl Into<String>) -> Self {
        Self { permissions, scheme: scheme.into(), id: id.into() }
    }

    /// Lets everybody do everything.
    pub fn open() -> Self {
        Self::new(permission::ALL, "world", "anyone")
    }

    /// Lets everybody read, and nothing else.
    pub fn read_only() -> Self {
        Self::new(permission::READ, "world", "anyone")
    }

    /// Lets those do everything who are authenticated as the creator is.
    pub fn creator() -> Self {
        Self::new(permission::ALL, "auth", "")
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { permissions: reader.int()?, scheme: reader.string()?, id: reader.string()? })
    }

    pub(super) fn write(writer: Writer, acl: &Self) -> Writer {
        writer.int(acl.permissions).string(&acl.scheme).string(&acl.id)
    }
}

/// What a lasting watch looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchMode {
    /// The node, its data and its set of children.
    Persistent,
    /// The node and everything below it; a changed set of children shows as created and deleted nodes.
    Recursive,
}

/// A watch that fired.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The node to which it happened.
    pub path: String,
}

/// What happened to a watched node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// It was created.
    Created,
    /// It was deleted.
    Deleted,
    /// Its data was written.
    DataChanged,
    /// A child came or went.
    ChildrenChanged,
    /// Anything else, with ZooKeeper's number for it.
    Other(i32),
}

impl Event {
    /// Reads a notification behind its header.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let kind = match reader.int()? {
            1 => EventKind::Created,
            2 => EventKind::Deleted,
            3 => EventKind::DataChanged,
            4 => EventKind::ChildrenChanged,
            other => EventKind::Other(other),
        };
        let _state = reader.int()?;
        Ok(Self { kind, path: reader.string()? })
    }
}
