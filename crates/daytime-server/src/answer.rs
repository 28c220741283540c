//! The answer.

use std::net::SocketAddr;

use jiff::Timestamp;

/// One line, `IP:PORT:TIME`: who answers, and the time as RFC 3339 has it, in UTC to the millisecond.
/// RFC 867 leaves the form of the line to the server.
pub(crate) fn reply(local: SocketAddr, now: Timestamp) -> String {
    format!("{local}:{now:.3}\n")
}

/// Whether some bytes are a line of [`reply`], ours or another server's.
pub(crate) fn is_reply(bytes: &[u8]) -> bool {
    const TIME: usize = "2026-11-22T12:00:00.123Z\n".len();
    let Some((local, time)) = bytes.len().checked_sub(TIME).map(|at| bytes.split_at(at)) else {
        return false;
    };
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let local = text(local).strip_suffix(':').map(str::parse::<SocketAddr>);
    let time = text(time).strip_suffix('\n').map(str::parse::<Timestamp>);
    matches!((local, time), (Some(Ok(_)), Some(Ok(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_line_with_address_and_rfc_3339_time() {
        let now: Timestamp = "2026-11-22T12:00:00.1239Z".parse().unwrap();
        assert_eq!(
            reply("127.0.0.1:8897".parse().unwrap(), now),
            "127.0.0.1:8897:2026-11-22T12:00:00.123Z\n"
        );
        assert_eq!(reply("[::1]:8897".parse().unwrap(), now), "[::1]:8897:2026-11-22T12:00:00.123Z\n");
    }

    #[test]
    fn only_a_reply_is_one() {
        for local in ["127.0.0.1:1", "[::1]:65535", "[2001:db8::1]:8897"] {
            let line = reply(local.parse().unwrap(), Timestamp::now());
            assert!(is_reply(line.as_bytes()), "{line:?}");
            assert!(!is_reply(&line.as_bytes()[..line.len() - 1]), "{line:?} without its end");
            assert!(!is_reply(&line.as_bytes()[line.len() - 25..]), "{line:?} without its beginning");
        }
        for other in ["", "\n", "timestamp", "127.0.0.1:8897", "x:2026-11-22T12:00:00.123Z\n"] {
            assert!(!is_reply(other.as_bytes()), "{other:?}");
        }
        assert!(!is_reply(&[0xff; 60]));
    }
}
