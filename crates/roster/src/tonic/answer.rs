//! What a response says of the call before its messages are read.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode};
use http_body::{Body as _, Frame};
use tonic::body::Body;
use tonic::{Code, Status};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Returns the response, and the code with which the call failed, if that is known already: from the headers, or from trailers that
/// came with them, without a message between. It waits for nothing.
pub(super) fn look(response: Response<Body>) -> (Response<Body>, Option<Code>) {
    if let Some(code) = code(response.headers()).or_else(|| code_of_http(&response)) {
        return (response, Some(code).filter(|code| *code != Code::Ok));
    }
    let (parts, mut body) = response.into_parts();
    // Whoever reads the messages leaves a waker of its own.
    let first = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(first) = first else {
        return (Response::from_parts(parts, body), None);
    };
    let trailers = match &first {
        Some(Ok(frame)) => frame.trailers_ref(),
        _ => None,
    };
    let code = trailers.and_then(code).filter(|code| *code != Code::Ok);
    let body = Body::new(Looked { first: Some(first), rest: body });
    (Response::from_parts(parts, body), code)
}

/// Whether an endpoint that answers this works as it should: the caller asked for what it cannot have. After the other codes nobody
/// knows: one that fails all calls at once must not look like the best.
pub(super) fn is_proper(code: Code) -> bool {
    use Code as C;

    match code {
        C::Ok | C::Cancelled | C::InvalidArgument | C::NotFound | C::AlreadyExists | C::PermissionDenied => {
            true
        }
        C::FailedPrecondition | C::Aborted | C::OutOfRange | C::Unimplemented | C::Unauthenticated => true,
        C::Unknown
        | C::DeadlineExceeded
        | C::ResourceExhausted
        | C::Internal
        | C::Unavailable
        | C::DataLoss => false,
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    let status = headers.get(GRPC_STATUS)?;
    let number = status.to_str().ok().and_then(|text| text.parse().ok());
    Some(number.map_or(Code::Unknown, Code::from_i32))
}

/// What stands between client and server may answer in plain HTTP: gRPC says what that means.
fn code_of_http(response: &Response<Body>) -> Option<Code> {
    match response.status() {
        StatusCode::OK => None,
        StatusCode::BAD_REQUEST => Some(Code::Internal),
        StatusCode::UNAUTHORIZED => Some(Code::Unauthenticated),
        StatusCode::FORBIDDEN => Some(Code::PermissionDenied),
        StatusCode::NOT_FOUND => Some(Code::Unimplemented),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Some(Code::Unavailable),
        _ => Some(Code::Unknown),
    }
}

/// A body whose first frame has been read.
struct Looked {
    /// `Some(None)` is the end.
    first: Option<Option<Result<Frame<Bytes>, Status>>>,
    rest: Body,
}

impl http_body::Body for Looked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.first.take() {
            Some(None) => {
                self.first = Some(None);
                Poll::Ready(None)
            }
            Some(first) => Poll::Ready(first),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.first {
            Some(first) => first.is_none(),
            None => self.rest.is_end_stream(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn status(number: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(GRPC_STATUS, number.parse().unwrap())])
    }

    fn body(frames: Vec<Frame<Bytes>>) -> Response<Body> {
        Response::new(Body::new(StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, Status>)))))
    }

    #[tokio::test]
    async fn the_code_is_known_from_headers_or_from_trailers_that_come_with_them() {
        let mut response = body(Vec::new());
        *response.headers_mut() = status("14");
        assert_eq!(look(response).1, Some(Code::Unavailable));
        let (response, code) = look(body(vec![Frame::trailers(status("8"))]));
        assert_eq!(code, Some(Code::ResourceExhausted));
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&status("8")), "they are still there");
        let mut response = body(Vec::new());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(look(response).1, Some(Code::Unavailable));
    }

    #[tokio::test]
    async fn a_message_stays_in_its_place_and_is_no_failure() {
        let frames = vec![
            Frame::data(Bytes::from("one")),
            Frame::data(Bytes::from("two")),
            Frame::trailers(status("14")),
        ];
        let (response, code) = look(body(frames));
        assert_eq!(code, None, "what follows a message belongs to whoever reads that");
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&status("14")));
        assert_eq!(collected.to_bytes(), "onetwo");
        let mut ok = body(Vec::new());
        *ok.headers_mut() = status("0");
        assert_eq!(look(ok).1, None);
        let waiting = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Status>>());
        assert_eq!(look(Response::new(Body::new(waiting))).1, None);
    }
}
