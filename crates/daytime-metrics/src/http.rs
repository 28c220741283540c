//! As much of HTTP as a scrape needs: one request, one answer, and the connection is closed.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Where the metrics are.
pub(crate) const PATH: &str = "/metrics";

/// The most that is read of a request, in bytes.
const LONGEST: usize = 8 * 1024;

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Metrics { body: bool },
    NotFound,
    NotAllowed,
    BadRequest,
}

/// Reads a request, answers it, and waits for the caller to close: closing first, with input unread, could
/// take the answer away from it. Returns the status code.
pub(crate) async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    render: impl FnOnce() -> String,
) -> io::Result<u16> {
    let answer = decide(&read_head(&mut stream).await?);
    let (status, text) = match answer {
        Answer::Metrics { .. } => ("200 OK", render()),
        Answer::NotFound => ("404 Not Found", format!("the metrics are at {PATH}\n")),
        Answer::NotAllowed => ("405 Method Not Allowed", "only GET and HEAD\n".into()),
        Answer::BadRequest => ("400 Bad Request", "no HTTP/1 request\n".into()),
    };
    let allow = if answer == Answer::NotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let kind = if matches!(answer, Answer::Metrics { .. }) { "; version=0.0.4" } else { "" };
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain{kind}; charset=utf-8\r\nContent-Length: {}\r\n\
         {allow}Connection: close\r\n\r\n",
        text.len()
    );
    if answer != (Answer::Metrics { body: false }) {
        response.push_str(&text);
    }
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    let mut sink = [0; 1024];
    let mut rest = stream.take(LONGEST as u64);
    while rest.read(&mut sink).await? > 0 {}
    Ok(status[..3].parse().expect("a status begins with its code"))
}

/// Reads up to the empty line behind the headers, or to the limit.
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

fn decide(head: &[u8]) -> Answer {
    let whole = head.windows(4).any(|four| four == b"\r\n\r\n");
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&str> = std::str::from_utf8(line).unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return Answer::BadRequest };
    if !whole || !version.starts_with("HTTP/1.") {
        return Answer::BadRequest;
    }
    let path = target.split('?').next().unwrap_or_default();
    match (path, method) {
        (PATH, "GET") => Answer::Metrics { body: true },
        (PATH, "HEAD") => Answer::Metrics { body: false },
        (PATH, _) => Answer::NotAllowed,
        _ => Answer::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_get_and_head_of_the_one_path_get_the_figures() {
        let cases = [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Answer::Metrics { body: true }),
            ("GET /metrics?a=b HTTP/1.0\r\n\r\n", Answer::Metrics { body: true }),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", Answer::Metrics { body: false }),
            ("POST /metrics HTTP/1.1\r\n\r\n", Answer::NotAllowed),
            ("GET / HTTP/1.1\r\n\r\n", Answer::NotFound),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", Answer::NotFound),
            ("GET /metrics HTTP/1.1\r\n", Answer::BadRequest),
            ("GET /metrics\r\n\r\n", Answer::BadRequest),
            ("PRI * HTTP/2.0\r\n\r\n", Answer::BadRequest),
            ("\u{16}\u{3}\u{1}", Answer::BadRequest),
            ("", Answer::BadRequest),
        ];
        for (head, expected) in cases {
            assert_eq!(decide(head.as_bytes()), expected, "{head:?}");
        }
    }
}
