use super::{MultiResult, ReplyHeader, Response};
use crate::multi::MultiHeader;
use crate::{Acl, ErrorCode, OpCode, Writer};

/// Returns the frame of a reply to a request, its length first.
///
/// An error is a header and nothing else, but for [`Response::FailedMultiRead`].
pub fn encode_reply(xid: i32, zxid: i64, result: &Result<Response, ErrorCode>) -> Vec<u8> {
    let code = match result {
        Ok(Response::FailedMultiRead(code)) | Err(code) => *code,
        Ok(_) => ErrorCode::Ok,
    };
    let header = ReplyHeader { xid, zxid, code }.write(Writer::new());
    match result {
        Ok(response) => response.write(header).into_frame(),
        Err(_) => header.into_frame(),
    }
}

impl Response {
    /// Writes the body of a reply.
    pub fn write(&self, writer: Writer) -> Writer {
        match self {
            Self::Empty => writer,
            Self::Path(path) | Self::Synced(path) => writer.string(path),
            Self::PathStat(path, stat) => stat.write(writer.string(path)),
            Self::Stat(stat) => stat.write(writer),
            Self::Data(data, stat) => stat.write(writer.buffer(data.as_deref())),
            Self::Acl(acl, stat) => {
                stat.write(writer.vector(Some(acl), |writer, entry: &Acl| entry.write(writer)))
            }
            Self::Strings(names) => writer.strings(names),
            Self::Children(names, stat) => stat.write(writer.strings(names)),
            Self::Number(number) => writer.int(*number),
            Self::Users(users) => {
                writer.vector(Some(users), |writer, (scheme, user)| writer.string(scheme).string(user))
            }
            Self::Multi(results) | Self::MultiRead(results) => {
                MultiHeader::END.write(results.iter().fold(writer, |writer, result| result.write(writer)))
            }
            Self::FailedMultiRead(_) => MultiHeader::END.write(writer),
        }
    }
}

impl MultiResult {
    fn op_code(&self) -> OpCode {
        match self {
            Self::Create(_) => OpCode::Create,
            Self::Create2(..) => OpCode::Create2,
            Self::Delete => OpCode::Delete,
            Self::SetData(_) => OpCode::SetData,
            Self::Check => OpCode::Check,
            Self::Data(..) => OpCode::GetData,
            Self::Children(_) => OpCode::GetChildren,
            Self::Error(_) => OpCode::Error,
        }
    }

    fn code(&self) -> ErrorCode {
        if let Self::Error(code) = self { *code } else { ErrorCode::Ok }
    }

    fn write(&self, writer: Writer) -> Writer {
        let header = MultiHeader { op_code: self.op_code(), done: false, code: self.code() };
        let writer = header.write(writer);
        match self {
            Self::Create(path) => writer.string(path),
            Self::Create2(path, stat) => stat.write(writer.string(path)),
            Self::SetData(stat) => stat.write(writer),
            Self::Data(data, stat) => stat.write(writer.buffer(data.as_deref())),
            Self::Children(names) => writer.strings(names),
            Self::Error(code) => writer.int(code.code()),
            Self::Delete | Self::Check => writer,
        }
    }
}
