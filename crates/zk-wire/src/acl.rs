use crate::{Malformed, Reader, Writer};

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

/// One entry of an access control list: an identity, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acl {
    /// Bits of [`permission`].
    pub permissions: i32,
    /// How the identity is proved: `world`, `auth`, `digest`, `ip`, `sasl`, `x509`.
    pub scheme: String,
    /// The identity, as the scheme writes it.
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

    /// Lets the identities of the session that creates the znode do everything.
    pub fn creator() -> Self {
        Self::new(permission::ALL, "auth", "")
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { permissions: reader.int()?, scheme: reader.string()?, id: reader.string()? })
    }

    /// Writes an entry.
    pub fn write(&self, writer: Writer) -> Writer {
        writer.int(self.permissions).string(&self.scheme).string(&self.id)
    }
}
