//! One attempt: a call of one server.

use std::fmt;
use std::io;
use std::time::Duration;

use instance::Endpoint;
use tokio::io::AsyncReadExt;
use zk_roster::{Classify, DialError, Failure};

/// The longest answer that is read, in bytes. A daytime line is much shorter.
const LONGEST: u64 = 4 * 1024;

/// Why one attempt failed. The message includes the cause, so there is no `source`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
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
            Self::Dial(error) => error.failure(),
            // An error of this machine is no failure of the server.
            Self::Read(error) => error.failure(),
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
///
/// Resolving a name and connecting share the time for connecting.
pub(crate) async fn request(endpoint: &Endpoint, connect_timeout: Duration) -> Result<String, AttemptError> {
    let stream = zk_roster::dial_endpoint(endpoint, connect_timeout).await?;
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
        for error in [DialError::Connect(refused()).into(), AttemptError::Read(refused())] {
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
