//! RFC 867 over UDP: one datagram answers one, whatever its content.
//!
//! A forged sender address could direct answers at a third party, or start an endless loop between two services. So some
//! datagrams get no answer: see [`may_answer`]. An answer is one datagram of about fifty bytes, sent from the address
//! that was called.

mod socket;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::{debug, warn};

pub(crate) use socket::Socket;

use self::socket::Datagram;
use super::log_limiter::LogLimiter;
use super::pause::Pause;
use crate::answer::{answer_line, is_answer};
use crate::metrics::{self, Outcome};

/// The lowest port of a caller: systems assign callers no port below it. There the services are, also those that answer
/// an answer: echo (7), daytime (13), quote of the day (17), chargen (19), time (37), domain (53), TFTP (69), NTP (123).
const FIRST_CALLER: u16 = 1024;

/// How many queued datagrams are answered at a stop: a flood must not delay it.
const LAST_ANSWERS: usize = 1024;

/// Answers datagrams for ever.
pub(super) async fn answer_all(socket: &Socket, own_ports: &Arc<[u16]>) {
    let local = socket.local();
    let mut pause = Pause::default();
    let mut failing = LogLimiter::default();
    loop {
        match socket.receive().await {
            Ok(datagram) => {
                pause = Pause::default();
                answer(socket, own_ports, &datagram);
            }
            Err(error) => {
                if failing.admits() {
                    warn!(%local, %error, "cannot receive over UDP, retrying");
                }
                pause.wait().await;
            }
        }
    }
}

/// Answers the datagrams that have arrived already.
pub(super) fn answer_queued(socket: &Socket, own_ports: &Arc<[u16]>) {
    for _ in 0..LAST_ANSWERS {
        let Ok(datagram) = socket.receive_now() else { return };
        answer(socket, own_ports, &datagram);
    }
}

fn answer(socket: &Socket, own_ports: &[u16], datagram: &Datagram) {
    let Datagram { from, to, .. } = *datagram;
    let local = SocketAddr::new(to.to_canonical(), socket.local().port());
    if !may_answer(datagram, own_ports) {
        debug!(%local, peer = %from, "datagram ignored");
        return metrics::request("udp", Outcome::Ignored);
    }
    let line = answer_line(local, Timestamp::now());
    let outcome = match socket.send(line.as_bytes(), datagram) {
        Ok(()) => {
            debug!(%local, peer = %from, "datagram answered");
            Outcome::Answered
        }
        // A full queue, or no route to the peer: a caller over UDP has to ask again anyway.
        Err(error) => {
            debug!(%local, peer = %from, %error, "answer not sent");
            Outcome::Failed
        }
    };
    metrics::request("udp", outcome);
}

/// Whether a datagram may be answered. A datagram is ignored if it
///
/// * comes from the port of another service or from a port of ours: two services would answer each other for ever;
/// * is itself an answer line: its sender is another daytime server;
/// * was sent by broadcast or multicast: each receiver would answer to the same, perhaps forged, sender.
fn may_answer(datagram: &Datagram, own_ports: &[u16]) -> bool {
    let Datagram { from, to, sent_to_one, begin, .. } = datagram;
    let port = from.port();
    let one = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(ip) => !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
    };
    port >= FIRST_CALLER
        && !own_ports.contains(&port)
        && *sent_to_one
        && one(*to)
        && one(from.ip())
        && !is_answer(begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(from: &str, to: &str, content: &str) -> Datagram {
        Datagram {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            sent_to_one: true,
            begin: content.into(),
        }
    }

    #[test]
    fn a_caller_is_answered_whatever_it_sends() {
        for content in ["", "timestamp", "127.0.0.1:8897", "\n", &"x".repeat(5000)] {
            for (from, to) in [("10.0.0.1:40000", "10.0.0.2"), ("[fe80::1]:1024", "fe80::2")] {
                assert!(may_answer(&datagram(from, to, content), &[8897, 8898]), "{from} {content:?}");
            }
        }
    }

    #[test]
    fn other_services_and_our_own_ports_are_not_answered() {
        for port in [0, 7, 13, 17, 19, 37, 53, 69, 123, 1023, 8897, 8898] {
            let from = format!("10.0.0.1:{port}");
            assert!(!may_answer(&datagram(&from, "10.0.0.2", ""), &[8897, 8898]), "{from}");
        }
    }

    #[test]
    fn an_answer_is_not_answered() {
        let local = "10.0.0.1:9999".parse().unwrap();
        let line = answer_line(local, Timestamp::now());
        assert!(!may_answer(&datagram("10.0.0.1:9999", "10.0.0.2", &line), &[8897]));
    }

    #[test]
    fn a_datagram_sent_by_broadcast_or_multicast_is_not_answered() {
        for to in ["255.255.255.255", "224.0.0.1", "ff02::1", "::ffff:224.0.0.1"] {
            assert!(!may_answer(&datagram("10.0.0.1:40000", to, ""), &[]), "{to}");
        }
        let broadcast =
            Datagram { sent_to_one: false, ..datagram("10.0.0.1:40000", "10.0.0.255", "timestamp") };
        assert!(!may_answer(&broadcast, &[]));
    }
}
