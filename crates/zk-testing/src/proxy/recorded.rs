use zk_wire::{OpCode, Reader};

/// A request that went by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Which connection it came on, counted from 1.
    pub connection: u64,
    /// The operation.
    pub op: OpCode,
    /// The number of the request and its reply; 0 for [`OpCode::Connect`].
    pub xid: i32,
    /// The path at the beginning of the request, if there is one; not for a multi.
    pub path: Option<String>,
}

impl Seen {
    /// Reads a frame as a client sends it; what is too short to be a request is operation 0.
    pub(super) fn read(connection: u64, frame: &[u8], is_first: bool) -> Self {
        if is_first {
            return Self { connection, op: OpCode::Connect, xid: 0, path: None };
        }
        let mut reader = Reader::new(frame.get(4..).unwrap_or_default());
        let xid = reader.int().unwrap_or_default();
        let op = OpCode::from(reader.int().unwrap_or_default());
        let path = if starts_with_path(op) { reader.string().ok() } else { None };
        Self { connection, op, xid, path }
    }
}

/// Whether the body of such a request begins with the path of a node.
fn starts_with_path(op: OpCode) -> bool {
    !matches!(
        op,
        OpCode::Connect
            | OpCode::Ping
            | OpCode::Multi
            | OpCode::MultiRead
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::Sasl
            | OpCode::Reconfig
            | OpCode::WhoAmI
            | OpCode::CloseSession
            | OpCode::DeleteContainer
            | OpCode::Error
            | OpCode::Other(_)
    )
}

#[cfg(test)]
mod tests {
    use zk_wire::Writer;

    use super::*;

    #[test]
    fn a_request_is_read_with_its_path() {
        let frame = Writer::new().int(7).int(OpCode::Create2.code()).string("/a").into_frame();
        let seen = Seen::read(3, &frame, false);
        assert_eq!(seen, Seen { connection: 3, op: OpCode::Create2, xid: 7, path: Some("/a".into()) });
    }

    #[test]
    fn a_frame_that_is_no_request_has_no_path() {
        for length in 0..12 {
            assert_eq!(Seen::read(1, &vec![0xff; length], false).path, None);
        }
    }
}
