mod decode;
mod encode;

pub use encode::encode_reply;

use crate::{Acl, ErrorCode, Malformed, Reader, Stat, Writer};

/// The header of every reply and every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The xid of the request, or one of [`xid`](crate::xid).
    pub xid: i32,
    /// The newest transaction that the server knows.
    pub zxid: i64,
    /// The outcome of the request.
    pub code: ErrorCode,
}

impl ReplyHeader {
    /// Bytes of a header.
    pub const LENGTH: usize = 4 + 8 + 4;

    /// Reads the header of a frame from a server; the body follows in `reader`.
    ///
    /// # Errors
    /// [`Malformed`] if there are fewer than 16 bytes.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { xid: reader.int()?, zxid: reader.long()?, code: reader.int()?.into() })
    }

    /// Writes a header.
    pub fn write(&self, writer: Writer) -> Writer {
        writer.int(self.xid).long(self.zxid).int(self.code.code())
    }
}

/// The body of a reply to a request that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Nothing but the header: delete, setWatches, ping and others.
    Empty,
    /// create.
    Path(String),
    /// create2, createContainer, createTTL.
    PathStat(String, Stat),
    /// exists, setData, setACL.
    Stat(Stat),
    /// getData.
    Data(Option<Vec<u8>>, Stat),
    /// getACL.
    Acl(Vec<Acl>, Stat),
    /// getChildren, getEphemerals.
    Strings(Vec<String>),
    /// getChildren2.
    Children(Vec<String>, Stat),
    /// sync.
    Synced(String),
    /// getAllChildrenNumber; also addWatch, whose reply has the number 0.
    Number(i32),
    /// whoAmI: scheme and user of each identity.
    Users(Vec<(String, String)>),
    /// multi, one for each operation: all results, or all errors.
    Multi(Vec<MultiResult>),
    /// multiRead, one for each operation.
    MultiRead(Vec<MultiResult>),
    /// A multiRead of writes: an error, behind which Apache ZooKeeper sends the body of an empty one.
    FailedMultiRead(ErrorCode),
}

/// The result of one operation of a multi or multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiResult {
    /// create.
    Create(String),
    /// create2, createContainer, createTTL.
    Create2(String, Stat),
    /// delete.
    Delete,
    /// setData.
    SetData(Stat),
    /// check.
    Check,
    /// getData, in a multiRead.
    Data(Option<Vec<u8>>, Stat),
    /// getChildren, in a multiRead.
    Children(Vec<String>),
    /// The error of the operation; in a failed multi every operation has one.
    Error(ErrorCode),
}
