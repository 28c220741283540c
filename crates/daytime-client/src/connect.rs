//! One attempt: a call of one server.

use std::fmt;
use std::io;
use std::time::Duration;

use balance::{Classify, Failure};
use instance::{Endpoint, Host};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The longest answer that is read, in bytes. A daytime line is much shorter.
const LONGEST: u64 = 4 * 1024;

/// Why one attempt failed. The message includes the cause, so there is no `source`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// The server's name could not be resolved.
    #[error("cannot resolve the name: {0}")]
    Resolve(io::Error),
    /// The server could not be connected to.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The server did not accept in time.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The connection broke while the answer was read.
    #[error("connection broke: {0}")]
    Read(io::Error),
    /// The answer is no daytime line.
    #[error("invalid answer: {0}")]
    Answer(InvalidAnswer),
}

/// Why an answer is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidAnswer {
    Empty,
    TooLong,
    NotText,
    ManyLines,
}

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 4 KiB",
            Self::NotText => "it is not printable text",
            Self::ManyLines => "it has more than one line",
        })
    }
}

impl Classify for AttemptError {
    fn failure(&self) -> Option<Failure> {
        match self {
            // An error of this machine (no file descriptor, no name service) is no failure of the server.
            Self::Connect(error) | Self::Read(error) => error.failure(),
            // Only this name may be wrong. If no name can be resolved, all such servers look bad, and are tried all the same.
            Self::Resolve(_) | Self::ConnectTimeout(_) => Some(Failure::Unreachable),
            Self::Answer(_) => Some(Failure::Incomplete),
        }
    }
}

impl AttemptError {
    /// Whether the connection was refused: no process listens there.
    pub(crate) fn is_refused(&self) -> bool {
        self.failure() == Some(Failure::Refused)
    }
}

/// Connects, sends nothing, and reads to the end, as RFC 867 says. Accepts the line with or without its line end.
pub(crate) async fn request(endpoint: &Endpoint, connect_timeout: Duration) -> Result<String, AttemptError> {
    let connecting = async {
        match endpoint.host() {
            Host::Name(name) => {
                let found = lookup_host((name.as_str(), endpoint.port())).await;
                let addresses: Vec<_> = found.map_err(AttemptError::Resolve)?.collect();
                TcpStream::connect(&*addresses).await
            }
            Host::V4(ip) => TcpStream::connect((*ip, endpoint.port())).await,
            Host::V6(ip) => TcpStream::connect((*ip, endpoint.port())).await,
        }
        .map_err(AttemptError::Connect)
    };
    let stream = match timeout(connect_timeout, connecting).await {
        Ok(connected) => connected?,
        Err(_) => return Err(AttemptError::ConnectTimeout(connect_timeout)),
    };
    let mut answer = Vec::new();
    stream.take(LONGEST + 1).read_to_end(&mut answer).await.map_err(AttemptError::Read)?;
    line(answer).map_err(AttemptError::Answer)
}

fn line(answer: Vec<u8>) -> Result<String, InvalidAnswer> {
    if answer.len() as u64 > LONGEST {
        return Err(InvalidAnswer::TooLong);
    }
    let text = String::from_utf8(answer).map_err(|_| InvalidAnswer::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(InvalidAnswer::Empty),
        _ if line.contains('\n') => Err(InvalidAnswer::ManyLines),
        // Another program wrote the line, and a terminal shows it.
        _ if line.chars().any(char::is_control) => Err(InvalidAnswer::NotText),
        _ => Ok(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_error_names_its_cause_once() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        for error in [AttemptError::Connect(refused()), AttemptError::Read(refused())] {
            let text = daytime_config::error_chain(&error);
            assert_eq!(text.matches(&refused().to_string()).count(), 1, "{text}");
        }
    }

    #[test]
    fn an_answer_is_one_line_with_or_without_line_end() {
        for text in ["time", "time\n", "time\r\n"] {
            assert_eq!(line(text.into()), Ok("time".into()), "{text:?}");
        }
    }

    #[test]
    fn an_answer_that_is_no_line_is_refused() {
        assert_eq!(line(vec![]), Err(InvalidAnswer::Empty));
        assert_eq!(line(b"\r\n".to_vec()), Err(InvalidAnswer::Empty));
        assert_eq!(line(vec![b'x'; 4097]), Err(InvalidAnswer::TooLong));
        assert_eq!(line(vec![0xff]), Err(InvalidAnswer::NotText));
        assert_eq!(line(b"a\x1b[2Jb".to_vec()), Err(InvalidAnswer::NotText));
        assert_eq!(line(b"a\nb\n".to_vec()), Err(InvalidAnswer::ManyLines));
    }
}
