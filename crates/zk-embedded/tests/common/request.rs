//! What a case asks for, and how it looks on the wire and in a transcript.

use std::fmt;

use super::wire::{Acl, Out, op};

/// Any request but the first of a connection.
///
/// Paths are those of the case: `/x` stands below the case's own root, `/` is that root, and what begins with `!` is
/// sent without the `!` as it is.
#[derive(Clone)]
pub(crate) enum Request {
    Create {
        op: i32,
        path: String,
        data: Option<Vec<u8>>,
        acl: Option<Vec<Acl>>,
        flags: i32,
        ttl: i64,
    },
    /// delete, check: path and version.
    Versioned {
        op: i32,
        path: String,
        version: i32,
    },
    /// exists, getData, getChildren, getChildren2: path and watch flag.
    Read {
        op: i32,
        path: String,
        watch: bool,
    },
    SetData {
        path: String,
        data: Option<Vec<u8>>,
        version: i32,
    },
    /// getACL, sync, getEphemerals, getAllChildrenNumber: a path alone.
    Path {
        op: i32,
        path: String,
    },
    SetAcl {
        path: String,
        acl: Option<Vec<Acl>>,
        version: i32,
    },
    /// addWatch, checkWatches, removeWatches: path and mode or kind.
    Kind {
        op: i32,
        path: String,
        kind: i32,
    },
    /// multi, multiRead.
    Multi {
        op: i32,
        operations: Vec<Request>,
    },
    Auth {
        kind: i32,
        scheme: String,
        data: Option<Vec<u8>>,
    },
    /// setWatches (three lists) and setWatches2 (five).
    SetWatches {
        op: i32,
        zxid: i64,
        lists: Vec<Vec<String>>,
    },
    /// Op codes without a body: ping, whoAmI, closeSession; and anything else.
    Raw {
        op: i32,
        body: Vec<u8>,
    },
}

impl Request {
    pub(crate) fn op(&self) -> i32 {
        match self {
            Self::Create { op, .. }
            | Self::Versioned { op, .. }
            | Self::Read { op, .. }
            | Self::Path { op, .. }
            | Self::Kind { op, .. }
            | Self::Multi { op, .. }
            | Self::SetWatches { op, .. }
            | Self::Raw { op, .. } => *op,
            Self::SetData { .. } => op::SET_DATA,
            Self::SetAcl { .. } => op::SET_ACL,
            Self::Auth { .. } => op::AUTH,
        }
    }

    /// Appends the body; `root` is the root of the case.
    pub(crate) fn encode(&self, root: &str, out: Out) -> Out {
        match self {
            Self::Create { op, path, data, acl, flags, ttl } => {
                let out =
                    out.text(&place(root, path)).bytes(data.as_deref()).acls(acl.as_deref()).int(*flags);
                if *op == op::CREATE_TTL { out.long(*ttl) } else { out }
            }
            Self::Versioned { path, version, .. } => out.text(&place(root, path)).int(*version),
            Self::Read { path, watch, .. } => out.text(&place(root, path)).flag(*watch),
            Self::SetData { path, data, version } => {
                out.text(&place(root, path)).bytes(data.as_deref()).int(*version)
            }
            Self::Path { path, .. } => out.text(&place(root, path)),
            Self::SetAcl { path, acl, version } => {
                out.text(&place(root, path)).acls(acl.as_deref()).int(*version)
            }
            Self::Kind { path, kind, .. } => out.text(&place(root, path)).int(*kind),
            Self::Multi { operations, .. } => operations
                .iter()
                .fold(out, |out, one| one.encode(root, out.int(one.op()).flag(false).int(-1)))
                .int(-1)
                .flag(true)
                .int(-1),
            Self::Auth { kind, scheme, data } => out.int(*kind).text(scheme).bytes(data.as_deref()),
            Self::SetWatches { zxid, lists, .. } => lists.iter().fold(out.long(*zxid), |out, list| {
                let paths: Vec<String> = list.iter().map(|path| place(root, path)).collect();
                out.texts(paths.iter().map(String::as_str))
            }),
            Self::Raw { body, .. } => out.raw(body),
        }
    }
}

/// Returns the path that a case's path stands for.
pub(crate) fn place(root: &str, path: &str) -> String {
    match path.strip_prefix('!') {
        Some(raw) => raw.to_owned(),
        None if path == "/" => root.to_owned(),
        None => format!("{root}{path}"),
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = op_name(self.op());
        match self {
            Self::Create { path, data, acl, flags, ttl, .. } => {
                write!(f, "{name} {path:?} {} flags={flags}", show_data(data.as_deref()))?;
                if *ttl != 0 {
                    write!(f, " ttl={ttl}")?;
                }
                show_acl(f, acl.as_deref())
            }
            Self::Versioned { path, version, .. } => write!(f, "{name} {path:?} version={version}"),
            Self::Read { path, watch, .. } => {
                write!(f, "{name} {path:?}{}", if *watch { " watch" } else { "" })
            }
            Self::SetData { path, data, version } => {
                write!(f, "{name} {path:?} {} version={version}", show_data(data.as_deref()))
            }
            Self::Path { path, .. } => write!(f, "{name} {path:?}"),
            Self::SetAcl { path, acl, version } => {
                write!(f, "{name} {path:?} version={version}")?;
                show_acl(f, acl.as_deref())
            }
            Self::Kind { path, kind, .. } => write!(f, "{name} {path:?} kind={kind}"),
            Self::Multi { operations, .. } => {
                write!(f, "{name} [")?;
                for (index, one) in operations.iter().enumerate() {
                    write!(f, "{}{one}", if index == 0 { "" } else { "; " })?;
                }
                f.write_str("]")
            }
            Self::Auth { kind, scheme, data } => {
                write!(f, "{name} kind={kind} {scheme:?} {}", show_data(data.as_deref()))
            }
            // The zxid is masked where it matters: in what follows from it.
            Self::SetWatches { lists, .. } => write!(f, "{name} {lists:?}"),
            Self::Raw { body, .. } if body.is_empty() => f.write_str(&name),
            Self::Raw { body, .. } => write!(f, "{name} body of {} bytes", body.len()),
        }
    }
}

fn show_acl(f: &mut fmt::Formatter<'_>, acl: Option<&[Acl]>) -> fmt::Result {
    match acl {
        None => f.write_str(" acl=null"),
        Some(acl) if acl == open() => Ok(()),
        Some(acl) => {
            write!(f, " acl=")?;
            acl.iter().try_for_each(|one| write!(f, "[{one}]"))
        }
    }
}

/// Shows data: short text as it is, anything else by its length and a checksum.
pub(crate) fn show_data(data: Option<&[u8]>) -> String {
    match data {
        None => "null".into(),
        Some(bytes) if bytes.len() <= 64 => format!("\"{}\"", bytes.escape_ascii()),
        Some(bytes) => {
            let sum =
                bytes.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
            format!("{} bytes #{sum:08x}", bytes.len())
        }
    }
}

/// Returns the name of an op code.
pub(crate) fn op_name(op: i32) -> String {
    match op {
        op::CREATE => "create",
        op::DELETE => "delete",
        op::EXISTS => "exists",
        op::GET_DATA => "getData",
        op::SET_DATA => "setData",
        op::GET_ACL => "getACL",
        op::SET_ACL => "setACL",
        op::GET_CHILDREN => "getChildren",
        op::SYNC => "sync",
        op::PING => "ping",
        op::GET_CHILDREN2 => "getChildren2",
        op::CHECK => "check",
        op::MULTI => "multi",
        op::CREATE2 => "create2",
        op::CHECK_WATCHES => "checkWatches",
        op::REMOVE_WATCHES => "removeWatches",
        op::CREATE_CONTAINER => "createContainer",
        op::CREATE_TTL => "createTTL",
        op::MULTI_READ => "multiRead",
        op::AUTH => "auth",
        op::SET_WATCHES => "setWatches",
        op::GET_EPHEMERALS => "getEphemerals",
        op::GET_ALL_CHILDREN_NUMBER => "getAllChildrenNumber",
        op::SET_WATCHES2 => "setWatches2",
        op::ADD_WATCH => "addWatch",
        op::WHO_AM_I => "whoAmI",
        op::CLOSE_SESSION => "closeSession",
        op::ERROR => "error",
        other => return format!("op {other}"),
    }
    .into()
}

/// The ACL that lets everybody do everything.
pub(crate) fn open() -> Vec<Acl> {
    vec![acl(31, "world", "anyone")]
}

pub(crate) fn acl(permissions: i32, scheme: &str, id: &str) -> Acl {
    Acl(permissions, scheme.into(), id.into())
}

/// A create of any kind, with the open ACL.
pub(crate) fn create_by(op: i32, path: &str, data: &str, flags: i32) -> Request {
    Request::Create {
        op,
        path: path.into(),
        data: Some(data.into()),
        acl: Some(open()),
        flags,
        ttl: if op == op::CREATE_TTL { 60_000 } else { 0 },
    }
}

pub(crate) fn create(path: &str, data: &str, flags: i32) -> Request {
    create_by(op::CREATE, path, data, flags)
}

pub(crate) fn create_acl(path: &str, acl: Vec<Acl>) -> Request {
    let (data, acl) = (Some(b"secret".to_vec()), Some(acl));
    Request::Create { op: op::CREATE, path: path.into(), data, acl, flags: 0, ttl: 0 }
}

pub(crate) fn delete(path: &str, version: i32) -> Request {
    Request::Versioned { op: op::DELETE, path: path.into(), version }
}

pub(crate) fn check(path: &str, version: i32) -> Request {
    Request::Versioned { op: op::CHECK, path: path.into(), version }
}

pub(crate) fn read(op: i32, path: &str, watch: bool) -> Request {
    Request::Read { op, path: path.into(), watch }
}

pub(crate) fn set_data(path: &str, data: &str, version: i32) -> Request {
    Request::SetData { path: path.into(), data: Some(data.into()), version }
}

pub(crate) fn set_acl(path: &str, acl: Vec<Acl>, version: i32) -> Request {
    Request::SetAcl { path: path.into(), acl: Some(acl), version }
}

pub(crate) fn of_path(op: i32, path: &str) -> Request {
    Request::Path { op, path: path.into() }
}

pub(crate) fn of_kind(op: i32, path: &str, kind: i32) -> Request {
    Request::Kind { op, path: path.into(), kind }
}

pub(crate) fn multi(operations: impl Into<Vec<Request>>) -> Request {
    Request::Multi { op: op::MULTI, operations: operations.into() }
}

pub(crate) fn multi_read(operations: impl Into<Vec<Request>>) -> Request {
    Request::Multi { op: op::MULTI_READ, operations: operations.into() }
}

pub(crate) fn auth(scheme: &str, data: &str) -> Request {
    Request::Auth { kind: 0, scheme: scheme.into(), data: Some(data.into()) }
}

/// setWatches with three lists, setWatches2 with five.
pub(crate) fn set_watches(zxid: i64, lists: &[&[&str]]) -> Request {
    let op = if lists.len() == 3 { op::SET_WATCHES } else { op::SET_WATCHES2 };
    let lists = lists.iter().map(|list| list.iter().map(|&path| path.into()).collect()).collect();
    Request::SetWatches { op, zxid, lists }
}

/// A request without a body.
pub(crate) fn bare(op: i32) -> Request {
    Request::Raw { op, body: Vec::new() }
}
