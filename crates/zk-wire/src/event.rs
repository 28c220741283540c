use crate::codes::codes;
use crate::{ErrorCode, Malformed, Reader, ReplyHeader, Writer, xid};

codes! {
    /// The kinds of [`WatchEvent`].
    EventKind, "event"
    /// The znode was created.
    Created = 1 "created",
    /// The znode was deleted.
    Deleted = 2 "deleted",
    /// Its data was written.
    DataChanged = 3 "data changed",
    /// Its list of children changed.
    ChildrenChanged = 4 "children changed",
}

/// The client is connected, as the connection that brings the event proves.
const SYNC_CONNECTED: i32 = 3;

/// A watch that fired.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchEvent {
    /// The change.
    pub kind: EventKind,
    /// The znode.
    pub path: String,
}

impl WatchEvent {
    /// The zxid in the header of an event that does not say which transaction caused it.
    pub const NO_ZXID: i64 = -1;

    /// Returns the frame of an event, its length first.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with_zxid(Self::NO_ZXID)
    }

    /// Returns the frame of an event that says which transaction caused it, as from ZooKeeper 3.9 on (ZOOKEEPER-4655).
    pub fn encode_with_zxid(&self, zxid: i64) -> Vec<u8> {
        let header = ReplyHeader { xid: xid::EVENT, zxid, code: ErrorCode::Ok };
        header.write(Writer::new()).int(self.kind.code()).int(SYNC_CONNECTED).string(&self.path).into_frame()
    }

    /// Reads an event behind its header.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let kind = reader.int()?.into();
        let _state = reader.int()?;
        Ok(Self { kind, path: reader.string()? })
    }
}
