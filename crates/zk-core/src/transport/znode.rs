//! How a znode is created, and who a server takes us for.

/// How long a znode lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreateMode {
    /// Until it is deleted.
    Persistent,
    /// Until it is deleted, or the session that created it ends.
    Ephemeral,
}

/// The rights on a znode.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Acl {
    /// Anybody may do anything: ZooKeeper's `world:anyone:cdrwa`.
    #[default]
    Open,
    /// The creator may do anything, everybody else may read: ZooKeeper's `auth::cdrwa` and `world:anyone:r`.
    /// Needs an authentication; without one the server refuses the ACL.
    Creator,
}

/// An identity that a server has recorded for a client, which may have several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The scheme: `ip`, `digest`, `sasl`, `x509`.
    pub scheme: String,
    /// The user or address, without any secret.
    pub user: String,
}
