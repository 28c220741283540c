//! A request that may be sent several times: as much of its body as is there at once, up to a limit, is kept.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{HeaderMap, request::Parts};
use http_body::{Body as _, Frame};
use parking_lot::Mutex;
use tonic::Status;
use tonic::body::Body;

/// How many chunks of a body are kept, though they be empty.
const MOST_CHUNKS: usize = 1024;

/// A request, and what is known of its body.
pub(super) struct Recorded {
    parts: Parts,
    start: Arc<Start>,
    /// What comes later. `None` if the start is the whole body.
    rest: Option<Arc<Mutex<Rest>>>,
}

#[derive(Debug, Default)]
struct Start {
    data: Vec<Bytes>,
    trailers: Option<HeaderMap>,
}

struct Rest {
    body: Body,
    /// Whether something was read of it, that is gone now.
    is_read: bool,
    /// The attempt that has it.
    turn: Option<u64>,
    turns: u64,
}

impl Recorded {
    /// Reads what is there of the body, up to `most` bytes or somewhat more: a chunk is not divided.
    ///
    /// # Errors
    /// The body's own.
    pub(super) fn new(request: http::Request<Body>, most: usize) -> Result<Self, Status> {
        let (parts, mut body) = request.into_parts();
        let mut start = Start::default();
        let mut left = most;
        // Whoever reads the rest leaves a waker of its own.
        let mut cx = Context::from_waker(Waker::noop());
        let is_whole = loop {
            if body.is_end_stream() {
                break true;
            }
            match Pin::new(&mut body).poll_frame(&mut cx) {
                Poll::Pending => break false,
                Poll::Ready(None) => break true,
                Poll::Ready(Some(frame)) => match frame?.into_data() {
                    Ok(data) => {
                        let is_too_long = data.len() > left || start.data.len() == MOST_CHUNKS;
                        left = left.saturating_sub(data.len());
                        start.data.push(data);
                        if is_too_long {
                            break false;
                        }
                    }
                    Err(frame) => start.trailers = frame.into_trailers().ok(),
                },
            }
        };
        let rest = Rest { body, is_read: false, turn: None, turns: 0 };
        let rest = (!is_whole).then(|| Arc::new(Mutex::new(rest)));
        Ok(Self { parts, start: Arc::new(start), rest })
    }

    /// Whether the whole body is kept.
    pub(super) fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// Whether nothing is gone of the body: it can be sent from its beginning.
    pub(super) fn is_complete(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| !rest.lock().is_read)
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Returns the request for one attempt, and the attempt's turn. `None`, if a part of the body is gone, or another attempt has
    /// its turn.
    pub(super) fn begin(&self) -> Option<(http::Request<Body>, Turn)> {
        let turn = match &self.rest {
            None => 0,
            Some(rest) => {
                let mut rest = rest.lock();
                if rest.is_read || rest.turn.is_some() {
                    return None;
                }
                rest.turns += 1;
                rest.turn = Some(rest.turns);
                rest.turns
            }
        };
        let replay = Replay { start: Arc::clone(&self.start), at: 0, rest: self.rest.clone(), turn };
        let request = http::Request::from_parts(self.parts.clone(), Body::new(replay));
        Some((request, Turn(self.rest.clone())))
    }
}

/// The right of an attempt to read the rest of the body. It ends with its `Drop`.
pub(super) struct Turn(Option<Arc<Mutex<Rest>>>);

impl Turn {
    /// The attempt was answered: its body may be read for as long as the server wants, and no other one begins.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(rest) = &self.0 {
            rest.lock().turn = None;
        }
    }
}

/// The body for one attempt.
struct Replay {
    start: Arc<Start>,
    at: usize,
    rest: Option<Arc<Mutex<Rest>>>,
    turn: u64,
}

impl http_body::Body for Replay {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let at = self.at;
        if let Some(data) = self.start.data.get(at) {
            let data = data.clone();
            self.at += 1;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(rest) = &self.rest {
            let mut rest = rest.lock();
            if rest.turn != Some(self.turn) {
                // The attempt has ended, and nobody hears this.
                return Poll::Ready(Some(Err(Status::cancelled("the attempt has ended"))));
            }
            let frame = ready!(Pin::new(&mut rest.body).poll_frame(cx));
            rest.is_read = true;
            return Poll::Ready(frame);
        }
        let trailers = self.start.trailers.as_ref().filter(|_| at == self.start.data.len()).cloned();
        self.at += 1;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.start.trailers.is_none() && self.at >= self.start.data.len()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    fn record(body: Body, most: usize) -> Recorded {
        Recorded::new(http::Request::new(body), most).unwrap()
    }

    fn chunks(data: &'static [&'static str]) -> Body {
        let frames =
            data.iter().map(|data| Ok::<_, Status>(Frame::data(Bytes::from_static(data.as_bytes()))));
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    async fn read(request: http::Request<Body>) -> Bytes {
        request.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_body_that_is_there_at_once_is_sent_again_and_again() {
        for recorded in [record(Body::new(Full::from("hello")), 5), record(chunks(&["he", "l", "lo"]), 5)] {
            assert!(recorded.is_whole());
            for _ in 0..3 {
                let (request, turn) = recorded.begin().unwrap();
                assert_eq!(read(request).await, "hello");
                drop(turn);
            }
            assert!(recorded.is_complete());
        }
        assert!(record(Body::empty(), 0).is_whole());
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_sent_again_until_its_rest_was_read() {
        let recorded = record(chunks(&["he", "l", "lo"]), 2);
        assert!(!recorded.is_whole());
        let (request, turn) = recorded.begin().unwrap();
        assert!(recorded.begin().is_none(), "one attempt at a time");
        // Only the start is read: it is kept.
        let mut body = request.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "he");
        drop(turn);
        let (request, turn) = recorded.begin().unwrap();
        assert_eq!(read(request).await, "hello");
        assert!(!recorded.is_complete());
        drop(turn);
        assert!(recorded.begin().is_none());
    }

    #[tokio::test]
    async fn the_body_of_an_attempt_that_has_ended_reads_nothing() {
        let recorded = record(chunks(&["he", "l", "lo"]), 0);
        let (old, turn) = recorded.begin().unwrap();
        drop(turn);
        let (new, _turn) = recorded.begin().unwrap();
        assert!(old.into_body().collect().await.is_err());
        assert_eq!(read(new).await, "hello");
    }

    #[tokio::test]
    async fn a_body_that_waits_is_a_stream_and_its_error_is_its_own() {
        let waiting = Body::new(StreamBody::new(stream::pending::<Result<Frame<Bytes>, Status>>()));
        let recorded = record(waiting, 100);
        assert!(!recorded.is_whole() && recorded.is_complete());
        let failing =
            Body::new(StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>(Status::internal("no"))])));
        let error = Recorded::new(http::Request::new(failing), 100).err().unwrap();
        assert_eq!(error.code(), tonic::Code::Internal);
    }
}
