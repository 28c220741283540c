use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How much is read at once.
const CHUNK: usize = 16 << 10;
/// An empty buffer that has grown beyond this is given back.
const KEPT: usize = 64 << 10;

/// Splits what a client sends into frames.
///
/// The buffer grows with the bytes that arrive, not with the length that they announce.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    /// Where the first frame that was not handed out begins.
    start: usize,
    limit: usize,
}

/// A frame whose length is negative, or above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame with a length of {0}")]
pub(super) struct BadLength(pub(super) i32);

impl Frames {
    pub(super) fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, limit }
    }

    /// Returns the first four bytes that were not handed out, if they are there.
    pub(super) fn word(&self) -> Option<[u8; 4]> {
        self.buffer[self.start..].first_chunk().copied()
    }

    /// Hands out the next frame, without its length, if all of it is there.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, BadLength> {
        let Some(word) = self.word() else { return Ok(None) };
        let announced = i32::from_be_bytes(word);
        let length = usize::try_from(announced)
            .ok()
            .filter(|length| *length <= self.limit)
            .ok_or(BadLength(announced))?;
        let begin = self.start + word.len();
        let frame = self.buffer.get(begin..begin + length);
        if frame.is_some() {
            self.start = begin + length;
        }
        Ok(frame)
    }

    /// Reads more, and tells whether there was any; there is none at the end of the stream.
    pub(super) async fn fill(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        self.buffer.reserve(CHUNK);
        Ok(reader.read_buf(&mut self.buffer).await? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn cut(stream: &[u8]) -> (Vec<Vec<u8>>, Result<(), BadLength>) {
        let (mut frames, mut reader, mut found) = (Frames::new(100), stream, Vec::new());
        loop {
            match frames.next() {
                Ok(Some(frame)) => {
                    found.push(frame.to_vec());
                    continue;
                }
                Ok(None) => {}
                Err(error) => return (found, Err(error)),
            }
            if !frames.fill(&mut reader).await.expect("memory can be read") {
                return (found, Ok(()));
            }
        }
    }

    #[tokio::test]
    async fn frames_are_cut_at_their_lengths() {
        let (frames, end) = cut(b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c\0\0\0\x05trunc").await;
        assert_eq!(frames, [&b"ab"[..], b"", b"c", b"trunc"]);
        assert_eq!(end, Ok(()));
        assert_eq!(cut(b"\0\0\0\x05trun").await, (vec![], Ok(())));
    }

    #[tokio::test]
    async fn lengths_below_zero_and_above_the_limit_are_refused_before_anything_is_read() {
        assert_eq!(cut(&101i32.to_be_bytes()).await, (vec![], Err(BadLength(101))));
        assert_eq!(cut(&(-1i32).to_be_bytes()).await, (vec![], Err(BadLength(-1))));
        assert_eq!(cut(&i32::MAX.to_be_bytes()).await, (vec![], Err(BadLength(i32::MAX))));
    }
}
