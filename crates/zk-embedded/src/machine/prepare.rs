//! Turns a request that writes into a transaction that cannot fail, or into the error: the checks come in Apache
//! ZooKeeper's order, as the first one that fails decides the error code.

use super::access;
use super::auth::{self, Identity};
use super::owner::Owner;
use super::path;
use super::scratch::{Record, Scratch};
use super::tree::NewZnode;
use crate::Version;
use zk_wire::{Acl, CreateKind, ErrorCode, Request};

/// A write that was found to be possible.
#[derive(Debug)]
pub(super) enum Transaction {
    Create { new: NewZnode, parent_creates: i32, with_stat: bool },
    Delete { path: String },
    SetData { path: String, data: Option<Vec<u8>>, version: i32 },
    SetAcl { path: String, acl: Vec<Acl>, aversion: i32 },
    Check,
}

/// The session that asks, and its settings.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) session: i64,
    pub(super) identities: &'a [Identity],
    /// Whether znodes may have a time to live.
    pub(super) extended_types: bool,
    pub(super) version: Version,
}

/// A znode that a client wants to create.
struct NewRequest {
    kind: CreateKind,
    path: String,
    data: Option<Vec<u8>>,
    acl: Option<Vec<Acl>>,
    flags: i32,
    ttl: i64,
}

/// Prepares one write and notes in `scratch` what it will have done.
pub(super) fn prepare(
    request: Request,
    scratch: &mut Scratch<'_>,
    asker: Asker<'_>,
) -> Result<Transaction, ErrorCode> {
    match request {
        Request::Create { kind, path, data, acl, flags, ttl } => {
            create(NewRequest { kind, path, data, acl, flags, ttl }, scratch, asker)
        }
        Request::Delete { path, version } => delete(path, version, scratch, asker),
        Request::SetData { path, data, version } => set_data(path, data, version, scratch, asker),
        Request::SetAcl { path, acl, version } => set_acl(path, acl, version, scratch, asker),
        Request::Check { path, version } => check(&path, version, scratch, asker),
        // Apache ZooKeeper makes an empty transaction of what does not write, and then fails to serialize it.
        _ => Err(ErrorCode::MarshallingError),
    }
}

fn create(
    request: NewRequest,
    scratch: &mut Scratch<'_>,
    asker: Asker<'_>,
) -> Result<Transaction, ErrorCode> {
    let NewRequest { kind, mut path, data, acl, flags, ttl } = request;
    let Some(mode) = Mode::from_flags(flags, asker.version) else {
        // 3.4 checks the flags only after all this.
        if asker.version == Version::V3_4 {
            place(&path, acl, scratch, asker)?;
        }
        return Err(ErrorCode::BadArguments);
    };
    let ttl = if kind == CreateKind::Ttl { ttl } else { -1 };
    if mode.has_ttl && !asker.extended_types {
        return Err(ErrorCode::Unimplemented);
    }
    let ttl_owner = Owner::ttl(ttl);
    if if mode.has_ttl { ttl_owner.is_none() } else { ttl >= 0 } {
        return Err(ErrorCode::BadArguments);
    }
    // Where the op code and the flags disagree, the op code decides.
    let owner = match kind {
        CreateKind::Container => Owner::Container,
        // Without a ttl Apache ZooKeeper would now die; here it is an error.
        CreateKind::Ttl => ttl_owner.ok_or(ErrorCode::BadArguments)?,
        CreateKind::Create | CreateKind::Create2 if mode.is_ephemeral => Owner::Session(asker.session),
        CreateKind::Create | CreateKind::Create2 => Owner::Persistent,
    };
    let Place { parent_path, mut parent, acl } = place(&path, acl, scratch, asker)?;
    if mode.is_sequential {
        path = format!("{path}{:010}", parent.creates);
    }
    path::validate(&path, asker.version)?;
    if scratch.get(&path).is_ok() {
        return Err(ErrorCode::NodeExists);
    }
    if parent.owner.is_session() {
        return Err(ErrorCode::NoChildrenForEphemerals);
    }
    parent.creates = parent.creates.wrapping_add(1);
    parent.children += 1;
    let parent_creates = parent.creates;
    scratch.put(&parent_path, parent);
    scratch.put(&path, Record::new(&acl, owner));
    let with_stat = kind != CreateKind::Create;
    Ok(Transaction::Create { new: NewZnode { path, data, acl, owner }, parent_creates, with_stat })
}

/// Where a znode may be created: its parent and the checked ACL.
struct Place {
    parent_path: String,
    parent: Record,
    acl: Vec<Acl>,
}

fn place(
    path: &str,
    acl: Option<Vec<Acl>>,
    scratch: &Scratch<'_>,
    asker: Asker<'_>,
) -> Result<Place, ErrorCode> {
    let parent_path = path::parent_for_create(path)?.to_owned();
    let acl = auth::resolve(acl, asker.identities, asker.version)?;
    let parent = scratch.get(&parent_path)?;
    access::check(&parent.acl, access::CREATE, asker.identities)?;
    Ok(Place { parent_path, parent, acl })
}

fn delete(
    path: String,
    version: i32,
    scratch: &mut Scratch<'_>,
    asker: Asker<'_>,
) -> Result<Transaction, ErrorCode> {
    let parent_path = path::parent_for_delete(&path, asker.version)?;
    let mut parent = scratch.get(parent_path)?;
    access::check(&parent.acl, access::DELETE, asker.identities)?;
    let znode = scratch.get(&path)?;
    next_version(znode.version, version)?;
    if znode.children > 0 {
        return Err(ErrorCode::NotEmpty);
    }
    // The znode exists, so it is a child of its parent.
    parent.children -= 1;
    scratch.put(parent_path, parent);
    scratch.remove(&path);
    Ok(Transaction::Delete { path })
}

fn set_data(
    path: String,
    data: Option<Vec<u8>>,
    version: i32,
    scratch: &mut Scratch<'_>,
    asker: Asker<'_>,
) -> Result<Transaction, ErrorCode> {
    path::validate(&path, asker.version)?;
    let mut znode = scratch.get(&path)?;
    access::check(&znode.acl, access::WRITE, asker.identities)?;
    znode.version = next_version(znode.version, version)?;
    let version = znode.version;
    scratch.put(&path, znode);
    Ok(Transaction::SetData { path, data, version })
}

fn set_acl(
    path: String,
    acl: Option<Vec<Acl>>,
    version: i32,
    scratch: &mut Scratch<'_>,
    asker: Asker<'_>,
) -> Result<Transaction, ErrorCode> {
    path::validate(&path, asker.version)?;
    let acl = auth::resolve(acl, asker.identities, asker.version)?;
    let mut znode = scratch.get(&path)?;
    access::check(&znode.acl, access::ADMIN, asker.identities)?;
    let aversion = next_version(znode.aversion, version)?;
    (znode.aversion, znode.acl) = (aversion, acl.as_slice().into());
    scratch.put(&path, znode);
    Ok(Transaction::SetAcl { path, acl, aversion })
}

fn check(
    path: &str,
    version: i32,
    scratch: &Scratch<'_>,
    asker: Asker<'_>,
) -> Result<Transaction, ErrorCode> {
    path::validate(path, asker.version)?;
    let znode = scratch.get(path)?;
    access::check(&znode.acl, access::READ, asker.identities)?;
    next_version(znode.version, version)?;
    Ok(Transaction::Check)
}

/// Returns the version after the current one, if that is the one expected; -1 expects any.
fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        Err(ErrorCode::BadVersion)
    } else {
        Ok(current.wrapping_add(1))
    }
}

/// The flags of a create.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    is_ephemeral: bool,
    is_sequential: bool,
    pub(super) is_container: bool,
    pub(super) has_ttl: bool,
}

impl Mode {
    /// Reads flags; they are numbers of modes, and no bits.
    pub(super) fn from_flags(flags: i32, version: Version) -> Option<Self> {
        let last = if version == Version::V3_4 { 3 } else { 6 };
        (0..=last).contains(&flags).then_some(Self {
            is_ephemeral: matches!(flags, 1 | 3),
            is_sequential: matches!(flags, 2 | 3 | 6),
            is_container: flags == 4,
            has_ttl: matches!(flags, 5 | 6),
        })
    }
}
