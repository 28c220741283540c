//! The part of HTTP that a scrape needs: one request, one response, then the connection closes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Where the metrics are.
pub(crate) const PATH: &str = "/metrics";

/// The longest request that is read, in bytes.
const LONGEST: usize = 8 * 1024;

/// The response to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Response {
    Metrics { body: bool },
    NotFound,
    NotAllowed,
    BadRequest,
}

/// Reads a request, responds, and waits for the caller to close. Closing first, with input unread, would reset the
/// connection, and the caller could lose the response. Returns the status code.
pub(crate) async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    render: impl FnOnce() -> String,
) -> io::Result<u16> {
    let kind = decide(&read_head(&mut stream).await?);
    let (status, text) = match kind {
        Response::Metrics { .. } => ("200 OK", render()),
        Response::NotFound => ("404 Not Found", format!("the metrics are at {PATH}\n")),
        Response::NotAllowed => ("405 Method Not Allowed", "only GET and HEAD\n".into()),
        Response::BadRequest => ("400 Bad Request", "not an HTTP/1 request\n".into()),
    };
    let allow = if kind == Response::NotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let parameters = if matches!(kind, Response::Metrics { .. }) { "; version=0.0.4" } else { "" };
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain{parameters}; charset=utf-8\r\nContent-Length: {}\r\n\
         {allow}Connection: close\r\n\r\n",
        text.len()
    );
    if kind != (Response::Metrics { body: false }) {
        response.push_str(&text);
    }
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    let mut sink = [0; 1024];
    let mut rest = stream.take(LONGEST as u64);
    while rest.read(&mut sink).await? > 0 {}
    Ok(status[..3].parse().expect("a status begins with its code"))
}

/// Reads to the empty line behind the headers, or to the limit.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while head.len() < LONGEST {
        let length = stream.read(&mut part).await?;
        // The end of the headers may begin in the part before.
        let from = head.len().saturating_sub(3);
        head.extend_from_slice(&part[..length]);
        if length == 0 || head[from..].windows(4).any(|four| four == b"\r\n\r\n") {
            break;
        }
    }
    Ok(head)
}

fn decide(head: &[u8]) -> Response {
    let whole = head.windows(4).any(|four| four == b"\r\n\r\n");
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&str> = std::str::from_utf8(line).unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return Response::BadRequest };
    if !whole || !version.starts_with("HTTP/1.") {
        return Response::BadRequest;
    }
    let path = target.split('?').next().unwrap_or_default();
    match (path, method) {
        (PATH, "GET") => Response::Metrics { body: true },
        (PATH, "HEAD") => Response::Metrics { body: false },
        (PATH, _) => Response::NotAllowed,
        _ => Response::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_get_and_head_of_the_metrics_path_get_the_metrics() {
        let cases = [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Response::Metrics { body: true }),
            ("GET /metrics?a=b HTTP/1.0\r\n\r\n", Response::Metrics { body: true }),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", Response::Metrics { body: false }),
            ("POST /metrics HTTP/1.1\r\n\r\n", Response::NotAllowed),
            ("GET / HTTP/1.1\r\n\r\n", Response::NotFound),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", Response::NotFound),
            ("GET /metrics HTTP/1.1\r\n", Response::BadRequest),
            ("GET /metrics\r\n\r\n", Response::BadRequest),
            ("PRI * HTTP/2.0\r\n\r\n", Response::BadRequest),
            ("\u{16}\u{3}\u{1}", Response::BadRequest),
            ("", Response::BadRequest),
        ];
        for (head, expected) in cases {
            assert_eq!(decide(head.as_bytes()), expected, "{head:?}");
        }
    }
}
