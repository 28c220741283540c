//! The answer.

use std::net::SocketAddr;

use jiff::Timestamp;

/// One line, `IP:PORT:TIME`: who answers, and the time as RFC 3339 has it, in UTC to the millisecond.
/// RFC 867 leaves the form of the line to the server.
pub(crate) fn reply(local: SocketAddr, now: Timestamp) -> String {
    format!("{local}:{now:.3}\n")
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
}
