//! Is it a ZooKeeper that answers at an address, and does it serve?
//!
//! Asks to resume a session that no ensemble has. A server says so, and whether it is a read-only one, and
//! nothing is left behind. Why one does not serve, and which it is, tells the four letter word `srvr`, if
//! that is allowed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::{Begun, Step};

const DEADLINE: Duration = Duration::from_secs(3);
/// For the word, which need not be answered at all.
const WORD_DEADLINE: Duration = Duration::from_secs(1);
/// The most that is read of the answer to the word, in bytes.
const WORD_LIMIT: u64 = 16 * 1024;

/// What stands in an answer: protocol, timeout, session, password; and, since 3.4, whether it is read-only.
const ANSWER: std::ops::RangeInclusive<usize> = 36..=37;

/// A protocol of 0, no transaction seen, the session 1 with a password of zeros, read-only being welcome.
const REQUEST: [u8; 49] = {
    let mut bytes = [0; 49];
    bytes[3] = 45;
    // 4 to 15: protocol, last transaction. 16 to 19: a timeout of 10,000 ms.
    bytes[18] = 0x27;
    bytes[19] = 0x10;
    // 20 to 27: the session.
    bytes[27] = 1;
    // 28 to 31: the length of the password; 32 to 47: the password.
    bytes[31] = 16;
    bytes[48] = 1;
    bytes
};

/// What answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Serves,
    ReadOnly,
    Closed,
    Stranger,
}

/// Asks; returns whether the server could grant a session. Where the link is encrypted that is left to the
/// session, for it alone has the certificates.
pub(super) async fn shake_hands(address: SocketAddr, encrypted: bool) -> (Step, bool) {
    let begun = Begun::new("zookeeper", address);
    if encrypted {
        return (begun.fine("not asked: the session will tell whether TLS is spoken here"), true);
    }
    let answer = timeout(DEADLINE, ask(address)).await;
    let word = match timeout(WORD_DEADLINE, srvr(address)).await {
        Ok(Ok(word)) => Word::read(&word),
        _ => Word::default(),
    };
    match answer {
        Ok(Ok(Answer::Serves)) => (begun.fine(word.describe()), true),
        Ok(Ok(Answer::ReadOnly)) => {
            let hint = format!(
                "{address} has lost touch with the majority and serves readers only: look at the other servers"
            );
            (begun.failed("a ZooKeeper, but read-only at the moment", hint), false)
        }
        Ok(Ok(Answer::Closed)) if word.not_serving => {
            let hint = format!(
                "{address} is up but part of no quorum: are more than half of the ensemble's servers up, and do \
                 they reach each other?"
            );
            (begun.failed("a ZooKeeper, but it serves nobody at the moment", hint), false)
        }
        Ok(Ok(Answer::Closed)) => {
            let hint = format!(
                "a ZooKeeper without a quorum does so, one that expects TLS on this port, one that has too many \
                 connections from here (maxClientCnxns); or {address} is no ZooKeeper"
            );
            (begun.failed("closed the connection without a word", hint), false)
        }
        Ok(Ok(Answer::Stranger)) => {
            let hint = format!("something else listens at {address}: check host and port in zookeeper.hosts");
            (begun.failed("answers, but not as a ZooKeeper does", hint), false)
        }
        Ok(Err(error)) => {
            let hint = format!("{address} broke the connection: see the log of what runs there");
            (begun.failed(error.to_string(), hint), false)
        }
        Err(_) => {
            let hint = format!(
                "{address} accepts connections and says nothing: a hung or overloaded ZooKeeper, or none at all"
            );
            (begun.failed(format!("no answer within {DEADLINE:?}"), hint), false)
        }
    }
}

async fn ask(address: SocketAddr) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&REQUEST).await?;
    let mut bytes = Vec::new();
    let mut part = [0; 64];
    loop {
        let length = match stream.read(&mut part).await {
            Ok(length) => length,
            // Closed with our request unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&part[..length]);
        if let Some(answer) = read(&bytes, length == 0) {
            return Ok(answer);
        }
    }
}

/// Reads what has come so far; `None` if more is needed.
fn read(bytes: &[u8], ended: bool) -> Option<Answer> {
    let Some((length, body)) = bytes.split_first_chunk::<4>() else {
        let answer = if bytes.is_empty() { Answer::Closed } else { Answer::Stranger };
        return ended.then_some(answer);
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if !ANSWER.contains(&length) {
        return Some(Answer::Stranger);
    }
    match body.get(..length) {
        // No session: a timeout and an id of 0, and the protocol that there is.
        Some(body) if body[..16].iter().any(|byte| *byte != 0) => Some(Answer::Stranger),
        Some(body) if body.get(36).is_some_and(|byte| *byte == 1) => Some(Answer::ReadOnly),
        Some(_) => Some(Answer::Serves),
        None => ended.then_some(Answer::Stranger),
    }
}

async fn srvr(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"srvr").await?;
    let mut answer = Vec::new();
    // The server may reset the connection right behind its answer.
    let _ = stream.take(WORD_LIMIT).read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What the word tells, if it was answered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Word {
    version: Option<String>,
    mode: Option<String>,
    not_serving: bool,
}

impl Word {
    fn read(answer: &str) -> Self {
        // It goes to a terminal, and comes from somewhere else.
        let clean = |text: &str| {
            let word: String = text.chars().take_while(|c| c.is_ascii_graphic()).take(40).collect();
            Some(word).filter(|word| !word.is_empty())
        };
        let find = |prefix| answer.lines().find_map(|line| line.strip_prefix(prefix)).map(str::trim);
        Self {
            version: find("Zookeeper version:")
                .and_then(|version| clean(version.split(['-', ',']).next().unwrap_or_default())),
            mode: find("Mode:").and_then(clean),
            not_serving: answer.contains("not currently serving requests"),
        }
    }

    fn describe(&self) -> String {
        let version = self.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
        let mode = self.mode.as_ref().map_or_else(String::new, |mode| format!(", {mode}"));
        format!("a ZooKeeper{version}{mode}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(timeout: u8, read_only: Option<u8>) -> Vec<u8> {
        let mut body = vec![0; 36];
        body[7] = timeout;
        body[19] = 16;
        body.extend(read_only);
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn only_the_refusal_of_an_unknown_session_is_a_zookeeper_s() {
        assert_eq!(read(&answer(0, Some(0)), false), Some(Answer::Serves));
        assert_eq!(read(&answer(0, None), false), Some(Answer::Serves));
        assert_eq!(read(&answer(0, Some(1)), false), Some(Answer::ReadOnly));
        assert_eq!(read(&answer(1, Some(0)), false), Some(Answer::Stranger));
        assert_eq!(read(b"HTTP/1.1 400 Bad Request\r\n", false), Some(Answer::Stranger));
        assert_eq!(read(b"SSH-2.0", false), Some(Answer::Stranger));
        assert_eq!(read(b"", true), Some(Answer::Closed));
        assert_eq!(read(b"x", true), Some(Answer::Stranger));
        for length in 0..answer(0, Some(0)).len() {
            assert_eq!(read(&answer(0, Some(0))[..length], false), None, "{length} bytes");
        }
    }

    #[test]
    fn the_word_tells_version_and_mode_or_nothing() {
        let told =
            Word::read("Zookeeper version: 3.8.0-5a02a05, built on 2022\nLatency: 0\nMode: standalone\n");
        assert_eq!(told.describe(), "a ZooKeeper 3.8.0, standalone");
        let refused = Word::read("srvr is not executed because it is not in the whitelist.\n");
        assert_eq!((refused.describe().as_str(), refused.not_serving), ("a ZooKeeper", false));
        let away = Word::read("This ZooKeeper instance is not currently serving requests\n");
        assert!(away.not_serving);
        assert_eq!(Word::read("Mode: \x1b[2J").mode, None);
    }
}
