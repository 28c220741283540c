use super::op;
use super::reader::{Malformed, Reader, Result};
use super::{Acl, ConnectRequest, CreateOp, Framed, Request};

/// Why a frame cannot be answered; the real server closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first frame of a connection is no connect request.
    #[error("the first frame is no connect request")]
    Connect,
    /// The frame is too short for an xid and an op.
    #[error("a frame without xid and op")]
    Header,
    /// An auth or sasl packet has a body that cannot be read; other ops with such a body become [`Request::Malformed`].
    #[error("an auth packet that cannot be read")]
    Auth,
}

/// Reads the first frame of a connection, without its length. More bytes than expected do no harm.
///
/// # Errors
/// [`DecodeError::Connect`] if there are too few bytes, or a password that is longer than they are.
pub fn decode_connect(frame: &[u8]) -> std::result::Result<ConnectRequest, DecodeError> {
    connect(&mut Reader(frame)).map_err(|Malformed| DecodeError::Connect)
}

/// Reads any later frame, without its length. More bytes than expected do no harm.
///
/// A body that cannot be read is no error: the real server answers it, so it becomes [`Request::Malformed`].
///
/// # Errors
/// [`DecodeError::Header`] and [`DecodeError::Auth`], for which the real server closes the connection.
pub fn decode_request(frame: &[u8]) -> std::result::Result<Framed, DecodeError> {
    let mut reader = Reader(frame);
    let (xid, op) = header(&mut reader).map_err(|Malformed| DecodeError::Header)?;
    let request = match request(op, &mut reader) {
        Ok(request) => request,
        Err(Malformed) if matches!(op, op::AUTH | op::SASL) => return Err(DecodeError::Auth),
        Err(Malformed) => Request::Malformed { op },
    };
    Ok(Framed { xid, request })
}

fn header(reader: &mut Reader<'_>) -> Result<(i32, i32)> {
    Ok((reader.int()?, reader.int()?))
}

fn connect(reader: &mut Reader<'_>) -> Result<ConnectRequest> {
    Ok(ConnectRequest {
        protocol_version: reader.int()?,
        last_zxid_seen: reader.long()?,
        timeout_ms: reader.int()?,
        session_id: reader.long()?,
        password: reader.buffer()?.unwrap_or_default(),
        // Clients older than 3.4 do not send it.
        read_only: reader.bool().ok(),
    })
}

fn request(op: i32, reader: &mut Reader<'_>) -> Result<Request> {
    Ok(match op {
        op::CREATE => create(CreateOp::Create, reader)?,
        op::CREATE2 => create(CreateOp::Create2, reader)?,
        op::CREATE_CONTAINER => create(CreateOp::Container, reader)?,
        op::CREATE_TTL => create(CreateOp::Ttl, reader)?,
        op::DELETE => Request::Delete { path: reader.string()?, version: reader.int()? },
        op::EXISTS => Request::Exists { path: reader.string()?, watch: reader.bool()? },
        op::GET_DATA => Request::GetData { path: reader.string()?, watch: reader.bool()? },
        op::SET_DATA => Request::SetData {
            path: string_or_empty(reader)?,
            data: reader.buffer()?,
            version: reader.int()?,
        },
        op::GET_ACL => Request::GetAcl { path: reader.string()? },
        op::SET_ACL => {
            Request::SetAcl { path: string_or_empty(reader)?, acl: acl(reader)?, version: reader.int()? }
        }
        op::GET_CHILDREN => Request::GetChildren { path: reader.string()?, watch: reader.bool()? },
        op::GET_CHILDREN2 => Request::GetChildren2 { path: reader.string()?, watch: reader.bool()? },
        op::SYNC => Request::Sync { path: string_or_empty(reader)? },
        op::PING => Request::Ping,
        op::CHECK => Request::Check { path: reader.string()?, version: reader.int()? },
        op::MULTI => Request::Multi { operations: operations(reader, is_write)? },
        op::MULTI_READ => Request::MultiRead { operations: of_one_kind(operations(reader, is_any)?)? },
        op::AUTH => {
            Request::Auth { kind: reader.int()?, scheme: string_or_empty(reader)?, data: reader.buffer()? }
        }
        op::SET_WATCHES => Request::SetWatches {
            relative_zxid: reader.long()?,
            data: strings(reader)?,
            exist: strings(reader)?,
            child: strings(reader)?,
        },
        op::SET_WATCHES2 => Request::SetWatches2 {
            relative_zxid: reader.long()?,
            data: strings(reader)?,
            exist: strings(reader)?,
            child: strings(reader)?,
            persistent: strings(reader)?,
            persistent_recursive: strings(reader)?,
        },
        op::ADD_WATCH => Request::AddWatch { path: reader.string()?, mode: reader.int()? },
        op::CHECK_WATCHES => Request::CheckWatches { path: reader.string()?, kind: reader.int()? },
        op::REMOVE_WATCHES => Request::RemoveWatches { path: string_or_empty(reader)?, kind: reader.int()? },
        op::GET_EPHEMERALS => Request::GetEphemerals { prefix: string_or_empty(reader)? },
        op::GET_ALL_CHILDREN_NUMBER => Request::GetAllChildrenNumber { path: reader.string()? },
        op::WHO_AM_I => Request::WhoAmI,
        op::CLOSE_SESSION => Request::CloseSession,
        op::RECONFIG => {
            let _servers = (reader.string_or_none()?, reader.string_or_none()?, reader.string_or_none()?);
            let _version = reader.long()?;
            Request::Unknown { op }
        }
        op::SASL => {
            let _token = reader.buffer()?.ok_or(Malformed)?;
            Request::Unknown { op }
        }
        op => Request::Unknown { op },
    })
}

fn create(op: CreateOp, reader: &mut Reader<'_>) -> Result<Request> {
    Ok(Request::Create {
        op,
        path: reader.string()?,
        data: reader.buffer()?,
        acl: acl(reader)?,
        flags: reader.int()?,
        ttl: if op == CreateOp::Ttl { reader.long()? } else { 0 },
    })
}

/// Reads operations up to the header that says that there are no more. A multi in a multi is refused, so this is as deep
/// as it gets.
fn operations(reader: &mut Reader<'_>, allowed: fn(i32) -> bool) -> Result<Vec<Request>> {
    let mut operations = Vec::new();
    loop {
        let (op, done, _error) = (reader.int()?, reader.bool()?, reader.int()?);
        if done {
            return Ok(operations);
        }
        if !allowed(op) {
            return Err(Malformed);
        }
        operations.push(request(op, reader)?);
    }
}

fn is_write(op: i32) -> bool {
    matches!(
        op,
        op::CREATE
            | op::CREATE2
            | op::CREATE_CONTAINER
            | op::CREATE_TTL
            | op::DELETE
            | op::SET_DATA
            | op::CHECK
    )
}

fn is_any(op: i32) -> bool {
    is_read(op) || is_write(op)
}

/// Refuses reads among writes; writes alone are refused later, and otherwise.
fn of_one_kind(operations: Vec<Request>) -> Result<Vec<Request>> {
    let reads = operations.iter().filter(|operation| is_read(operation.op())).count();
    if reads == 0 || reads == operations.len() { Ok(operations) } else { Err(Malformed) }
}

fn is_read(op: i32) -> bool {
    matches!(op, op::GET_DATA | op::GET_CHILDREN)
}

fn acl(reader: &mut Reader<'_>) -> Result<Option<Vec<Acl>>> {
    reader.vector(|reader| {
        Ok(Acl { permissions: reader.int()?, scheme: reader.string()?, id: reader.string()? })
    })
}

/// Reads a string whose absence the real server takes as it takes an empty one; elsewhere it trips over it.
fn string_or_empty(reader: &mut Reader<'_>) -> Result<String> {
    Ok(reader.string_or_none()?.unwrap_or_default())
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    // Here the real server trips over none, where it takes less than none for empty.
    reader.vector(Reader::string)?.ok_or(Malformed)
}
