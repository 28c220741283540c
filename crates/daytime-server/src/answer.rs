//! The line that answers a call.

use std::net::SocketAddr;

use jiff::Timestamp;

/// One line, `IP:PORT:TIME`: the address that answers, and the time in the form of RFC 3339, in UTC, in milliseconds.
/// RFC 867 leaves the form of the line to the server.
pub(crate) fn answer_line(local: SocketAddr, now: Timestamp) -> String {
    format!("{local}:{now:.3}\n")
}

/// Whether the bytes are an [`answer_line`], ours or another server's.
pub(crate) fn is_answer(bytes: &[u8]) -> bool {
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
    fn an_answer_is_one_line_with_address_and_rfc_3339_time() {
        let now: Timestamp = "2026-11-22T12:00:00.1239Z".parse().unwrap();
        assert_eq!(
            answer_line("127.0.0.1:8897".parse().unwrap(), now),
            "127.0.0.1:8897:2026-11-22T12:00:00.123Z\n"
        );
        assert_eq!(answer_line("[::1]:8897".parse().unwrap(), now), "[::1]:8897:2026-11-22T12:00:00.123Z\n");
    }

    #[test]
    fn only_an_answer_line_is_recognized_as_one() {
        for local in ["127.0.0.1:1", "[::1]:65535", "[2001:db8::1]:8897"] {
            let line = answer_line(local.parse().unwrap(), Timestamp::now());
            assert!(is_answer(line.as_bytes()), "{line:?}");
            assert!(!is_answer(&line.as_bytes()[..line.len() - 1]), "{line:?} without its end");
            assert!(!is_answer(&line.as_bytes()[line.len() - 25..]), "{line:?} without its beginning");
        }
        for other in ["", "\n", "timestamp", "127.0.0.1:8897", "x:2026-11-22T12:00:00.123Z\n"] {
            assert!(!is_answer(other.as_bytes()), "{other:?}");
        }
        assert!(!is_answer(&[0xff; 60]));
    }
}
