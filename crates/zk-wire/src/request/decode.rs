use super::{CreateKind, Framed, Request};
use crate::multi::MultiHeader;
use crate::{Acl, Malformed, OpCode, Reader};

type Result<T> = std::result::Result<T, Malformed>;

/// Why a frame gets no reply: Apache ZooKeeper closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first frame of a connection is no connect request.
    #[error("the first frame is no connect request")]
    Connect,
    /// The frame is too short for an xid and an op code.
    #[error("frame too short for xid and op code")]
    Header,
    /// An auth or sasl packet has a body that cannot be read; other requests become [`Request::Malformed`].
    #[error("malformed auth packet")]
    Auth,
}

impl Framed {
    /// Reads any frame of a client but the first, without its length. More bytes than expected do no harm.
    ///
    /// A body that cannot be read is no error: Apache ZooKeeper replies to it, so it becomes [`Request::Malformed`].
    ///
    /// # Errors
    /// [`DecodeError::Header`] and [`DecodeError::Auth`], for which Apache ZooKeeper closes the connection.
    pub fn decode(frame: &[u8]) -> std::result::Result<Self, DecodeError> {
        let mut reader = Reader::new(frame);
        let (xid, op_code) = header(&mut reader).map_err(|Malformed| DecodeError::Header)?;
        let request = match request(op_code, &mut reader) {
            Ok(request) => request,
            Err(Malformed) if matches!(op_code, OpCode::Auth | OpCode::Sasl) => {
                return Err(DecodeError::Auth);
            }
            Err(Malformed) => Request::Malformed { op_code },
        };
        Ok(Self { xid, request })
    }
}

fn header(reader: &mut Reader<'_>) -> Result<(i32, OpCode)> {
    Ok((reader.int()?, reader.int()?.into()))
}

fn request(op_code: OpCode, reader: &mut Reader<'_>) -> Result<Request> {
    Ok(match op_code {
        OpCode::Create => create(CreateKind::Create, reader)?,
        OpCode::Create2 => create(CreateKind::Create2, reader)?,
        OpCode::CreateContainer => create(CreateKind::Container, reader)?,
        OpCode::CreateTtl => create(CreateKind::Ttl, reader)?,
        OpCode::Delete => Request::Delete { path: reader.string()?, version: reader.int()? },
        OpCode::Exists => Request::Exists { path: reader.string()?, watch: reader.bool()? },
        OpCode::GetData => Request::GetData { path: reader.string()?, watch: reader.bool()? },
        OpCode::SetData => {
            Request::SetData { path: string_or_empty(reader)?, data: data(reader)?, version: reader.int()? }
        }
        OpCode::GetAcl => Request::GetAcl { path: reader.string()? },
        OpCode::SetAcl => {
            Request::SetAcl { path: string_or_empty(reader)?, acl: acl(reader)?, version: reader.int()? }
        }
        OpCode::GetChildren => Request::GetChildren { path: reader.string()?, watch: reader.bool()? },
        OpCode::GetChildren2 => Request::GetChildren2 { path: reader.string()?, watch: reader.bool()? },
        OpCode::Sync => Request::Sync { path: string_or_empty(reader)? },
        OpCode::Ping => Request::Ping,
        OpCode::Check => Request::Check { path: reader.string()?, version: reader.int()? },
        OpCode::Multi => Request::Multi { operations: operations(reader, is_write)? },
        OpCode::MultiRead => Request::MultiRead { operations: of_one_kind(operations(reader, is_any)?)? },
        OpCode::Auth => {
            Request::Auth { kind: reader.int()?, scheme: string_or_empty(reader)?, data: data(reader)? }
        }
        OpCode::SetWatches => Request::SetWatches {
            relative_zxid: reader.long()?,
            data: strings(reader)?,
            exist: strings(reader)?,
            child: strings(reader)?,
        },
        OpCode::SetWatches2 => Request::SetWatches2 {
            relative_zxid: reader.long()?,
            data: strings(reader)?,
            exist: strings(reader)?,
            child: strings(reader)?,
            persistent: strings(reader)?,
            persistent_recursive: strings(reader)?,
        },
        OpCode::AddWatch => Request::AddWatch { path: reader.string()?, mode: reader.int()? },
        OpCode::CheckWatches => Request::CheckWatches { path: reader.string()?, kind: reader.int()? },
        OpCode::RemoveWatches => {
            Request::RemoveWatches { path: string_or_empty(reader)?, kind: reader.int()? }
        }
        OpCode::GetEphemerals => Request::GetEphemerals { prefix: string_or_empty(reader)? },
        OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path: reader.string()? },
        OpCode::WhoAmI => Request::WhoAmI,
        OpCode::CloseSession => Request::CloseSession,
        OpCode::Reconfig => {
            let _servers = (reader.string_or_null()?, reader.string_or_null()?, reader.string_or_null()?);
            let _version = reader.long()?;
            Request::Unknown { op_code }
        }
        OpCode::Sasl => {
            let _token = reader.buffer()?.ok_or(Malformed)?;
            Request::Unknown { op_code }
        }
        op_code => Request::Unknown { op_code },
    })
}

fn create(kind: CreateKind, reader: &mut Reader<'_>) -> Result<Request> {
    Ok(Request::Create {
        kind,
        path: reader.string()?,
        data: data(reader)?,
        acl: acl(reader)?,
        flags: reader.int()?,
        ttl: if kind == CreateKind::Ttl { reader.long()? } else { 0 },
    })
}

/// Reads operations up to the header that says that there are no more. A multi in a multi is refused, so this is as deep
/// as it gets.
fn operations(reader: &mut Reader<'_>, allowed: fn(OpCode) -> bool) -> Result<Vec<Request>> {
    let mut operations = Vec::new();
    loop {
        let header = MultiHeader::read(reader)?;
        if header.done {
            return Ok(operations);
        }
        if !allowed(header.op_code) {
            return Err(Malformed);
        }
        operations.push(request(header.op_code, reader)?);
    }
}

fn is_write(op_code: OpCode) -> bool {
    op_code.is_create() || matches!(op_code, OpCode::Delete | OpCode::SetData | OpCode::Check)
}

fn is_any(op_code: OpCode) -> bool {
    is_read(op_code) || is_write(op_code)
}

/// Refuses reads among writes; writes alone are refused later, and otherwise.
fn of_one_kind(operations: Vec<Request>) -> Result<Vec<Request>> {
    let reads = operations.iter().filter(|operation| is_read(operation.op_code())).count();
    if reads == 0 || reads == operations.len() { Ok(operations) } else { Err(Malformed) }
}

fn is_read(op_code: OpCode) -> bool {
    matches!(op_code, OpCode::GetData | OpCode::GetChildren)
}

fn data(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>> {
    Ok(reader.buffer()?.map(<[u8]>::to_vec))
}

fn acl(reader: &mut Reader<'_>) -> Result<Option<Vec<Acl>>> {
    reader.vector(Acl::read)
}

/// Reads a string that may be null: Apache ZooKeeper takes that for an empty one here, and fails on it elsewhere.
fn string_or_empty(reader: &mut Reader<'_>) -> Result<String> {
    Ok(reader.string_or_null()?.unwrap_or_default())
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    // Apache ZooKeeper fails on null here, and takes a count below -1 for an empty list.
    reader.vector(Reader::string)?.ok_or(Malformed)
}
