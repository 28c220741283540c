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

use super::cause::{Cause, unknown};
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
    /// It has ended the connection instead.
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
        Ok(Ok(Answer::Closed)) if word.is_of_no_server => {
            let hint = format!(
                "{address} is up but part of no quorum: are more than half of the ensemble's servers up, and do \
                 they reach each other?"
            );
            (begun.failed("a ZooKeeper, but it serves nobody at the moment", hint), false)
        }
        Ok(Ok(Answer::Closed)) if ends_unasked(address).await => {
            let hint = format!(
                "{address} accepts connections and ends them before anything is asked. ZooKeeper does so where this \
                 machine has as many as its maxClientCnxns allows (60 for each address, if it is not set), or all \
                 machines together as many as maxCnxns; what else may listen there does it for reasons of its own"
            );
            (begun.failed("accepted the connection and ended it at once", hint), false)
        }
        Ok(Ok(Answer::Closed)) => {
            let hint = format!(
                "a ZooKeeper without a quorum does so, and one that expects TLS on this port; or {address} is no \
                 ZooKeeper"
            );
            (begun.failed("closed the connection without a word", hint), false)
        }
        Ok(Ok(Answer::Stranger)) => {
            let hint = format!("something else listens at {address}: check host and port in zookeeper.hosts");
            (begun.failed("answers, but not as a ZooKeeper does", hint), false)
        }
        Ok(Err(error)) => {
            let hint = Cause::of(&error).hint(address).unwrap_or_else(unknown);
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
    match exchange(address).await {
        // Closed with our request unread; or so early that connecting or writing fails by it.
        Err(error) if Cause::of(&error).is_end() => Ok(Answer::Closed),
        answer => answer,
    }
}

async fn exchange(address: SocketAddr) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&REQUEST).await?;
    let mut bytes = Vec::new();
    let mut part = [0; 64];
    loop {
        let length = match stream.read(&mut part).await {
            // What came before it counts.
            Err(error) if Cause::of(&error).is_end() => 0,
            length => length?,
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

/// Whether a connection ends of which nothing is asked.
async fn ends_unasked(address: SocketAddr) -> bool {
    let wait = async { TcpStream::connect(address).await?.read(&mut [0]).await };
    match timeout(WORD_DEADLINE, wait).await {
        Ok(Ok(length)) => length == 0,
        Ok(Err(error)) => Cause::of(&error).is_end(),
        Err(_) => false,
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
    /// There is an answer in text, and it is no report: one who speaks for a server that is not there yet.
    is_of_no_server: bool,
}

impl Word {
    fn read(answer: &str) -> Self {
        // It goes to a terminal, and comes from somewhere else.
        let clean = |text: &str| {
            let word: String = text.chars().take_while(|c| c.is_ascii_graphic()).take(40).collect();
            Some(word).filter(|word| !word.is_empty())
        };
        let find = |prefix| answer.lines().find_map(|line| line.strip_prefix(prefix)).map(str::trim);
        let version = find("Zookeeper version:")
            .and_then(|version| clean(version.split(['-', ',']).next().unwrap_or_default()));
        let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
        Self {
            is_of_no_server: version.is_none() && !answer.is_empty() && answer.chars().all(is_text),
            version,
            mode: find("Mode:").and_then(clean),
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
        assert!(!told.is_of_no_server);
        // Whatever the words: a server that is not allowed to report, or has none to report about.
        let refused = Word::read("srvr is not executed because it is not in the whitelist.\n");
        assert_eq!((refused.describe().as_str(), refused.is_of_no_server), ("a ZooKeeper", true));
        assert!(Word::read("This ZooKeeper instance is not currently serving requests\n").is_of_no_server);
        // Nothing, and the alert of one who wants TLS.
        assert!(!Word::read("").is_of_no_server && !Word::read("\x15\x03\x03\0\x02\x02P").is_of_no_server);
        assert_eq!(Word::read("Mode: \x1b[2J").mode, None);
    }
}
