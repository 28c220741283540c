use super::{CreateKind, Framed, Request};
use crate::multi::MultiHeader;
use crate::{Acl, Writer};

impl Framed {
    /// Returns the frame, its length first.
    pub fn encode(&self) -> Vec<u8> {
        let header = Writer::new().int(self.xid).int(self.request.op_code().code());
        self.request.write(header).into_frame()
    }
}

impl Request {
    /// Writes what is behind the header; nothing for [`Unknown`](Self::Unknown) and [`Malformed`](Self::Malformed).
    pub fn write(&self, writer: Writer) -> Writer {
        match self {
            Self::Create { kind, path, data, acl, flags, ttl } => {
                let writer = writer.string(path).buffer(data.as_deref());
                let writer = writer.vector(acl.as_deref(), write_acl).int(*flags);
                if *kind == CreateKind::Ttl { writer.long(*ttl) } else { writer }
            }
            Self::Delete { path, version: number }
            | Self::Check { path, version: number }
            | Self::AddWatch { path, mode: number }
            | Self::CheckWatches { path, kind: number }
            | Self::RemoveWatches { path, kind: number } => writer.string(path).int(*number),
            Self::Exists { path, watch }
            | Self::GetData { path, watch }
            | Self::GetChildren { path, watch }
            | Self::GetChildren2 { path, watch } => writer.string(path).bool(*watch),
            Self::SetData { path, data, version } => {
                writer.string(path).buffer(data.as_deref()).int(*version)
            }
            Self::GetAcl { path }
            | Self::Sync { path }
            | Self::GetEphemerals { prefix: path }
            | Self::GetAllChildrenNumber { path } => writer.string(path),
            Self::SetAcl { path, acl, version } => {
                writer.string(path).vector(acl.as_deref(), write_acl).int(*version)
            }
            Self::Multi { operations } | Self::MultiRead { operations } => {
                let all = operations.iter().fold(writer, |writer, operation| {
                    operation.write(MultiHeader::of_request(operation.op_code()).write(writer))
                });
                MultiHeader::END.write(all)
            }
            Self::Auth { kind, scheme, data } => writer.int(*kind).string(scheme).buffer(data.as_deref()),
            Self::SetWatches { relative_zxid, data, exist, child } => {
                writer.long(*relative_zxid).strings(data).strings(exist).strings(child)
            }
            Self::SetWatches2 { relative_zxid, data, exist, child, persistent, persistent_recursive } => {
                let one_shot = writer.long(*relative_zxid).strings(data).strings(exist).strings(child);
                one_shot.strings(persistent).strings(persistent_recursive)
            }
            Self::Ping
            | Self::WhoAmI
            | Self::CloseSession
            | Self::Unknown { .. }
            | Self::Malformed { .. } => writer,
        }
    }
}

fn write_acl(writer: Writer, entry: &Acl) -> Writer {
    entry.write(writer)
}
