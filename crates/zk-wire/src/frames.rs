/// How much room there is for what is read at once.
const CHUNK: usize = 16 << 10;
/// An empty buffer that has grown beyond this is freed.
const KEPT: usize = 64 << 10;

/// A frame whose length is negative, or above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid frame length {0}")]
pub struct BadLength(pub i32);

impl From<BadLength> for std::io::Error {
    fn from(length: BadLength) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, length)
    }
}

/// Splits a stream of bytes into frames.
///
/// The buffer grows with the bytes that arrive, not with the length that they announce. It reads nothing itself, so that
/// any kind of stream can fill it; with tokio by `stream.read_buf(frames.buffer()).await`.
///
/// ```
/// use std::io::Read;
/// use zk_wire::Frames;
///
/// # fn main() -> std::io::Result<()> {
/// let mut stream: &[u8] = b"\0\0\0\x02ab\0\0\0\x01c";
/// let mut frames = Frames::new(1024);
/// stream.read_to_end(frames.buffer())?;
/// assert_eq!(frames.next()?, Some(&b"ab"[..]));
/// assert_eq!(frames.next()?, Some(&b"c"[..]));
/// assert_eq!(frames.next()?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Where the first frame that was not handed out begins.
    start: usize,
    limit: usize,
}

impl Frames {
    /// Makes an empty buffer, for frames of up to `limit` bytes each, without their lengths.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, limit }
    }

    /// Returns the first four bytes that were not handed out, if they are there: a length, or a four-letter word.
    pub fn word(&self) -> Option<[u8; 4]> {
        self.buffer[self.start..].first_chunk().copied()
    }

    /// Hands out the next frame, without its length, if all of it is there.
    ///
    /// # Errors
    /// [`BadLength`], again with every call: nothing behind such a length can be read.
    #[expect(clippy::should_implement_trait, reason = "it lends")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, BadLength> {
        Ok(self.next_with_length()?.map(|frame| &frame[4..]))
    }

    /// Hands out the next frame, its length first, as it goes on to another stream.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub fn next_with_length(&mut self) -> Result<Option<&[u8]>, BadLength> {
        let Some(word) = self.word() else { return Ok(None) };
        let announced = i32::from_be_bytes(word);
        let length = usize::try_from(announced)
            .ok()
            .filter(|length| *length <= self.limit)
            .ok_or(BadLength(announced))?;
        let begin = self.start;
        let end = begin + word.len() + length;
        let frame = self.buffer.get(begin..end);
        if frame.is_some() {
            self.start = end;
        }
        Ok(frame)
    }

    /// Drops what was handed out, makes room for more, and returns the buffer; bytes have to be appended to it.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        self.buffer.reserve(CHUNK);
        &mut self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a stream in chunks, and returns its frames and how it ended.
    fn split(stream: &[u8], chunk: usize) -> (Vec<Vec<u8>>, Result<(), BadLength>) {
        let (mut frames, mut found) = (Frames::new(100), Vec::new());
        for bytes in stream.chunks(chunk) {
            frames.buffer().extend(bytes);
            loop {
                match frames.next() {
                    Ok(Some(frame)) => found.push(frame.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (found, Err(error)),
                }
            }
        }
        (found, Ok(()))
    }

    #[test]
    fn a_stream_is_split_at_the_lengths_however_it_arrives() {
        let stream = b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c\0\0\0\x05whole\0\0\0\x05not a";
        for chunk in 1..stream.len() {
            let (frames, end) = split(&stream[..stream.len() - 1], chunk);
            assert_eq!(
                (frames, end),
                (vec![b"ab".to_vec(), vec![], b"c".to_vec(), b"whole".to_vec()], Ok(()))
            );
        }
    }

    #[test]
    fn a_frame_is_handed_on_with_its_length() {
        let mut frames = Frames::new(100);
        frames.buffer().extend(b"\0\0\0\x02ab\0");
        assert_eq!(frames.next_with_length(), Ok(Some(&b"\0\0\0\x02ab"[..])));
        assert_eq!(frames.next_with_length(), Ok(None));
    }

    #[test]
    fn a_length_below_zero_or_above_the_limit_is_an_error_before_the_frame_is_there() {
        for length in [101, -1, i32::MAX, i32::MIN] {
            assert_eq!(split(&length.to_be_bytes(), 4), (vec![], Err(BadLength(length))));
        }
    }
}
