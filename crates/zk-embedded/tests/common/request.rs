//! The requests of a case, and how they look in a transcript.

use std::fmt;

use zk_wire::{Acl, CreateKind, Framed, OpCode, Request, Writer};

/// A request of a case, or bytes in its place that no client would send.
///
/// Paths are those of the case: `/x` stands below the case's own root, `/` is that root, and what begins with `!` is
/// sent without the `!` as it is.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    Request(Request),
    Raw { op_code: OpCode, body: Vec<u8> },
}

impl From<Request> for Sent {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

/// A request with a body of the script's own making.
pub(crate) fn raw(op_code: OpCode, body: Writer) -> Sent {
    Sent::Raw { op_code, body: body.into_body() }
}

impl Sent {
    pub(crate) fn op_code(&self) -> OpCode {
        match self {
            Self::Request(request) => request.op_code(),
            Self::Raw { op_code, .. } => *op_code,
        }
    }

    /// Returns the frame; `root` is the root of the case.
    pub(crate) fn frame(&self, xid: i32, root: &str) -> Vec<u8> {
        match self {
            Self::Request(request) => {
                let mut request = request.clone();
                for path in request.paths_mut() {
                    *path = place(root, path);
                }
                Framed { xid, request }.encode()
            }
            Self::Raw { op_code, body } => Writer::new().int(xid).int(op_code.code()).raw(body).into_frame(),
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

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => show(f, request),
            Self::Raw { op_code, body } => write!(f, "{op_code} body of {} bytes", body.len()),
        }
    }
}

fn show(f: &mut fmt::Formatter<'_>, request: &Request) -> fmt::Result {
    let name = request.op_code();
    match request {
        Request::Create { path, data, acl, flags, ttl, .. } => {
            write!(f, "{name} {path:?} {} flags={flags}", show_data(data.as_deref()))?;
            if *ttl != 0 {
                write!(f, " ttl={ttl}")?;
            }
            show_acl(f, acl.as_deref())
        }
        Request::SetData { path, data, version } => {
            write!(f, "{name} {path:?} {} version={version}", show_data(data.as_deref()))
        }
        Request::SetAcl { path, acl, version } => {
            write!(f, "{name} {path:?} version={version}")?;
            show_acl(f, acl.as_deref())
        }
        Request::Multi { operations } | Request::MultiRead { operations } => {
            write!(f, "{name} [")?;
            for (index, operation) in operations.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { "; " })?;
                show(f, operation)?;
            }
            f.write_str("]")
        }
        Request::Auth { kind, scheme, data } => {
            write!(f, "{name} kind={kind} {scheme:?} {}", show_data(data.as_deref()))
        }
        Request::Delete { path, version } | Request::Check { path, version } => {
            write!(f, "{name} {path:?} version={version}")
        }
        Request::Exists { path, watch: true }
        | Request::GetData { path, watch: true }
        | Request::GetChildren { path, watch: true }
        | Request::GetChildren2 { path, watch: true } => write!(f, "{name} {path:?} watch"),
        Request::AddWatch { path, mode: kind }
        | Request::CheckWatches { path, kind }
        | Request::RemoveWatches { path, kind } => write!(f, "{name} {path:?} kind={kind}"),
        // The zxid of setWatches is masked where it matters: in what follows from it.
        _ => {
            write!(f, "{name}")?;
            request.paths().iter().try_for_each(|path| write!(f, " {path:?}"))
        }
    }
}

fn show_acl(f: &mut fmt::Formatter<'_>, acl: Option<&[Acl]>) -> fmt::Result {
    match acl {
        None => f.write_str(" acl=null"),
        Some(acl) if acl == open() => Ok(()),
        Some(acl) => {
            write!(f, " acl=")?;
            acl.iter().try_for_each(|entry| write!(f, "[{}]", acl_text(entry)))
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

pub(crate) fn acl_text(entry: &Acl) -> String {
    format!("{}:{}:{}", entry.scheme, entry.id, entry.permissions)
}

/// The ACL that lets everybody do everything.
pub(crate) fn open() -> Vec<Acl> {
    vec![Acl::open()]
}

pub(crate) fn acl(permissions: i32, scheme: &str, id: &str) -> Acl {
    Acl::new(permissions, scheme, id)
}

/// Writes an entry of an ACL, for a vector of them in a body of the script's own making.
pub(crate) fn write_acl(writer: Writer, entry: &Acl) -> Writer {
    entry.write(writer)
}

/// A create of any kind, with the open ACL.
pub(crate) fn create_by(op_code: OpCode, path: &str, data: &str, flags: i32) -> Request {
    let kind = match op_code {
        OpCode::Create => CreateKind::Create,
        OpCode::Create2 => CreateKind::Create2,
        OpCode::CreateContainer => CreateKind::Container,
        OpCode::CreateTtl => CreateKind::Ttl,
        other => panic!("{other} creates nothing"),
    };
    let ttl = if kind == CreateKind::Ttl { 60_000 } else { 0 };
    Request::Create { kind, path: path.into(), data: Some(data.into()), acl: Some(open()), flags, ttl }
}

pub(crate) fn create(path: &str, data: &str, flags: i32) -> Request {
    create_by(OpCode::Create, path, data, flags)
}

pub(crate) fn create_acl(path: &str, acl: Vec<Acl>) -> Request {
    let (data, acl) = (Some(b"secret".to_vec()), Some(acl));
    Request::Create { kind: CreateKind::Create, path: path.into(), data, acl, flags: 0, ttl: 0 }
}

pub(crate) fn delete(path: &str, version: i32) -> Request {
    Request::Delete { path: path.into(), version }
}

pub(crate) fn check(path: &str, version: i32) -> Request {
    Request::Check { path: path.into(), version }
}

/// exists, getData, getChildren, getChildren2.
pub(crate) fn read(op_code: OpCode, path: &str, watch: bool) -> Request {
    let path = path.into();
    match op_code {
        OpCode::Exists => Request::Exists { path, watch },
        OpCode::GetData => Request::GetData { path, watch },
        OpCode::GetChildren => Request::GetChildren { path, watch },
        OpCode::GetChildren2 => Request::GetChildren2 { path, watch },
        other => panic!("{other} has no watch flag"),
    }
}

pub(crate) fn set_data(path: &str, data: &str, version: i32) -> Request {
    Request::SetData { path: path.into(), data: Some(data.into()), version }
}

pub(crate) fn set_acl(path: &str, acl: Vec<Acl>, version: i32) -> Request {
    Request::SetAcl { path: path.into(), acl: Some(acl), version }
}

/// getACL, sync, getEphemerals, getAllChildrenNumber.
pub(crate) fn of_path(op_code: OpCode, path: &str) -> Request {
    let path = path.into();
    match op_code {
        OpCode::GetAcl => Request::GetAcl { path },
        OpCode::Sync => Request::Sync { path },
        OpCode::GetEphemerals => Request::GetEphemerals { prefix: path },
        OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path },
        other => panic!("{other} has more than a path"),
    }
}

/// addWatch, checkWatches, removeWatches.
pub(crate) fn of_kind(op_code: OpCode, path: &str, kind: i32) -> Request {
    let path = path.into();
    match op_code {
        OpCode::AddWatch => Request::AddWatch { path, mode: kind },
        OpCode::CheckWatches => Request::CheckWatches { path, kind },
        OpCode::RemoveWatches => Request::RemoveWatches { path, kind },
        other => panic!("{other} is not about watches"),
    }
}

pub(crate) fn multi(operations: impl Into<Vec<Request>>) -> Request {
    Request::Multi { operations: operations.into() }
}

pub(crate) fn multi_read(operations: impl Into<Vec<Request>>) -> Request {
    Request::MultiRead { operations: operations.into() }
}

pub(crate) fn auth(scheme: &str, data: &str) -> Request {
    Request::Auth { kind: 0, scheme: scheme.into(), data: Some(data.into()) }
}

/// setWatches with three lists, setWatches2 with five.
pub(crate) fn set_watches(zxid: i64, lists: &[&[&str]]) -> Request {
    let list = |index: usize| lists[index].iter().map(|&path| path.into()).collect();
    let (relative_zxid, data, exist, child) = (zxid, list(0), list(1), list(2));
    match lists.len() {
        3 => Request::SetWatches { relative_zxid, data, exist, child },
        _ => {
            let (persistent, persistent_recursive) = (list(3), list(4));
            Request::SetWatches2 { relative_zxid, data, exist, child, persistent, persistent_recursive }
        }
    }
}

/// A request without a body.
pub(crate) fn bare(op_code: OpCode) -> Request {
    Request::Unknown { op_code }
}
