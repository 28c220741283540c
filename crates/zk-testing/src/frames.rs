//! Frames from a socket.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};
use zk_wire::Frames;

/// No server with a sane `jute.maxbuffer` sends more; what claims to be longer is not the protocol.
const MAX_FRAME: usize = 64 << 20;

/// Begins to split a stream.
pub(crate) fn frames() -> Frames {
    Frames::new(MAX_FRAME)
}

/// Reads the next frame, its length first, or `None` at the end of the stream.
///
/// # Cancel safety
/// Bytes read so far are kept for the next call.
pub(crate) async fn next(
    frames: &mut Frames,
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(frame) = frames.next_with_length()? {
            return Ok(Some(frame.to_vec()));
        }
        if stream.read_buf(frames.buffer()).await? == 0 {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use zk_wire::Writer;

    use super::*;

    #[tokio::test]
    async fn frames_are_found_however_the_bytes_arrive() {
        let bytes = [Writer::new().int(1).into_frame(), Writer::new().string("two").into_frame()].concat();
        for chunk in 1..bytes.len() {
            let (mut near, mut far) = tokio::io::duplex(chunk);
            let send = async {
                near.write_all(&bytes).await.unwrap();
                drop(near);
            };
            let receive = async {
                let mut frames = frames();
                assert_eq!(next(&mut frames, &mut far).await.unwrap().unwrap().len(), 8);
                assert_eq!(next(&mut frames, &mut far).await.unwrap().unwrap().len(), 11);
                assert_eq!(next(&mut frames, &mut far).await.unwrap(), None);
            };
            tokio::join!(send, receive);
        }
    }
}
