use crate::{DecodeError, Malformed, Reader, Writer};

/// The first frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Always 0.
    pub protocol_version: i32,
    /// The newest zxid that the client has seen.
    pub last_zxid_seen: i64,
    /// The session timeout that the client asks for, in milliseconds.
    pub timeout_ms: i32,
    /// The session to resume; 0 for a new one.
    pub session_id: i64,
    /// The password of that session: 16 bytes.
    pub password: Option<Vec<u8>>,
    /// Whether a read-only server will do; `None` from clients before 3.4, which get no such flag back either.
    pub read_only: Option<bool>,
}

impl ConnectRequest {
    /// Asks for a new session.
    pub fn new(timeout_ms: i32) -> Self {
        Self {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms,
            session_id: 0,
            password: Some(vec![0; 16]),
            read_only: Some(false),
        }
    }

    /// Returns the frame, its length first.
    pub fn encode(&self) -> Vec<u8> {
        self.write(Writer::new()).into_frame()
    }

    /// Writes the body of the frame.
    pub fn write(&self, writer: Writer) -> Writer {
        let writer = writer.int(self.protocol_version).long(self.last_zxid_seen).int(self.timeout_ms);
        flag(writer.long(self.session_id).buffer(self.password.as_deref()), self.read_only)
    }

    /// Reads the first frame of a connection, without its length. More bytes than expected do no harm.
    ///
    /// # Errors
    /// [`DecodeError::Connect`] if there are too few bytes, or a password that is longer than they are.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(frame)).map_err(|Malformed| DecodeError::Connect)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            protocol_version: reader.int()?,
            last_zxid_seen: reader.long()?,
            timeout_ms: reader.int()?,
            session_id: reader.long()?,
            password: reader.buffer()?.map(<[u8]>::to_vec),
            read_only: reader.bool().ok(),
        })
    }
}

/// The reply to the first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Always 0.
    pub protocol_version: i32,
    /// The negotiated session timeout in milliseconds; 0 where the session is refused.
    pub timeout_ms: i32,
    /// The session; 0 where it is refused.
    pub session_id: i64,
    /// Its password: 16 bytes.
    pub password: Vec<u8>,
    /// Whether the server serves reads only; sent only to a client that sent its own flag.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// Returns the frame, its length first.
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::new().int(self.protocol_version).int(self.timeout_ms).long(self.session_id);
        flag(writer.buffer(Some(&self.password)), self.read_only).into_frame()
    }

    /// Reads the first frame from a server, without its length. More bytes than expected do no harm.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(frame);
        Ok(Self {
            protocol_version: reader.int()?,
            timeout_ms: reader.int()?,
            session_id: reader.long()?,
            password: reader.buffer()?.unwrap_or_default().to_vec(),
            read_only: reader.bool().ok(),
        })
    }

    /// Tells whether the server refuses the session: it does not know it, or its password is another.
    pub fn is_refusal(&self) -> bool {
        self.timeout_ms <= 0 || self.session_id == 0
    }
}

fn flag(writer: Writer, read_only: Option<bool>) -> Writer {
    match read_only {
        None => writer,
        Some(read_only) => writer.bool(read_only),
    }
}
