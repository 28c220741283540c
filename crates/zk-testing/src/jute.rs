//! Jute, the encoding of ZooKeeper's protocol, and its frames.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// No server with a sane `jute.maxbuffer` sends more; what claims to be longer is not the protocol.
pub(crate) const MAX_FRAME: usize = 64 << 20;

/// How much is read at once, at least.
const READ_AHEAD: usize = 8 << 10;

/// The bytes are not what the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes end early or make no sense")]
pub(crate) struct Malformed;

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, malformed)
    }
}

/// Writes one frame: four bytes of length, then the fields.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(vec![0; 4])
    }

    pub(crate) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn bool(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    pub(crate) fn buffer(self, value: &[u8]) -> Self {
        let mut this = self.int(i32::try_from(value.len()).unwrap_or(i32::MAX));
        this.0.extend(value);
        this
    }

    pub(crate) fn string(self, value: &str) -> Self {
        self.buffer(value.as_bytes())
    }

    pub(crate) fn each<T>(self, items: &[T], write: impl Fn(Self, &T) -> Self) -> Self {
        let this = self.int(i32::try_from(items.len()).unwrap_or(i32::MAX));
        items.iter().fold(this, write)
    }

    /// Fills in the length.
    pub(crate) fn frame(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// Reads the fields of one frame, without its length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn int(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn long(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.array::<1>()?[0] != 0)
    }

    /// A missing buffer, of length -1, reads as an empty one.
    pub(crate) fn buffer(&mut self) -> Result<&'a [u8], Malformed> {
        match self.int()? {
            -1 => Ok(&[]),
            length => self.bytes(usize::try_from(length).map_err(|_| Malformed)?),
        }
    }

    pub(crate) fn string(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.buffer()?.to_vec()).map_err(|_| Malformed)
    }

    pub(crate) fn each<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        (0..self.int()?).map(|_| read(self)).collect()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }
}

/// Splits a stream of bytes into frames.
#[derive(Debug, Default)]
pub(crate) struct Frames(Vec<u8>);

impl Frames {
    /// Reads the next frame with its length in front, or `None` at the end of the stream.
    ///
    /// # Cancel safety
    /// Bytes read so far are kept for the next call.
    pub(crate) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(frame) = self.split()? {
                return Ok(Some(frame));
            }
            self.0.reserve(READ_AHEAD);
            if stream.read_buf(&mut self.0).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn split(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        let Ok(length) = Reader(&self.0).int() else { return Ok(None) };
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_FRAME).ok_or(Malformed)?;
        if self.0.len() < length + 4 {
            return Ok(None);
        }
        Ok(Some(self.0.drain(..length + 4).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let frame = Writer::new().int(-2).long(7).bool(true).string("/a").buffer(&[1, 2]).frame();
        let mut reader = Reader(&frame[4..]);
        assert_eq!(reader.int(), Ok(-2));
        assert_eq!(reader.long(), Ok(7));
        assert_eq!(reader.bool(), Ok(true));
        assert_eq!(reader.string().unwrap(), "/a");
        assert_eq!(reader.buffer(), Ok(&[1, 2][..]));
        assert_eq!(reader.int(), Err(Malformed));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(Reader(&[0, 0, 0, 9, 1]).buffer(), Err(Malformed));
        assert_eq!(Reader(&[0xff, 0, 0, 0]).buffer(), Err(Malformed));
        assert_eq!(Reader(&[0xff, 0xff, 0xff, 0xff]).buffer(), Ok(&[][..]));
        assert_eq!(Frames(vec![0x7f, 0, 0, 0]).split(), Err(Malformed));
    }

    #[tokio::test]
    async fn frames_are_found_however_the_bytes_arrive() {
        let bytes = [Writer::new().int(1).frame(), Writer::new().string("two").frame()].concat();
        for chunk in 1..bytes.len() {
            let (mut near, mut far) = tokio::io::duplex(chunk);
            let send = async {
                tokio::io::AsyncWriteExt::write_all(&mut near, &bytes).await.unwrap();
                drop(near);
            };
            let receive = async {
                let mut frames = Frames::default();
                assert_eq!(frames.next(&mut far).await.unwrap().unwrap().len(), 8);
                assert_eq!(frames.next(&mut far).await.unwrap().unwrap().len(), 11);
                assert_eq!(frames.next(&mut far).await.unwrap(), None);
            };
            tokio::join!(send, receive);
        }
    }
}
