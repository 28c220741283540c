use zk_wire::{Acl, CreateKind, Request};

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
    /// Returns the request to create such a node.
    pub(super) fn request(self, path: String, data: Vec<u8>, acl: Vec<Acl>) -> Request {
        // Not `create2`, whose reply has a stat, too: 3.4 does not know it.
        let kind = if self == Self::Container { CreateKind::Container } else { CreateKind::Create };
        Request::Create { kind, path, data: Some(data), acl: Some(acl), flags: self.flags(), ttl: 0 }
    }

    fn flags(self) -> i32 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral => 1,
            Self::PersistentSequential => 2,
            Self::EphemeralSequential => 3,
            Self::Container => 4,
        }
    }
}

/// The two kinds of lasting watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchMode {
    /// The node, its data and its set of children.
    Persistent,
    /// The node and everything below it; a changed set of children shows as created and deleted nodes.
    Recursive,
}

/// The number that stands for any version.
pub(super) fn any(version: Option<i32>) -> i32 {
    version.unwrap_or(-1)
}
