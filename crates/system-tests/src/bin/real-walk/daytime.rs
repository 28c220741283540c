//! What the log of `daytime-server` and of `daytime-client` tells, as records: links, registrations, and the rounds of the client.

use std::time::Duration;

use oracle::{Attempted, Called, LinkPhase, Record, Stated, What};

/// Reads the log of one daytime program, line by line.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    process: String,
    /// The instance of a server.
    instance: Option<String>,
    link: (Option<i64>, u64, u64),
    /// The number of the next round, where this is a client.
    round: u64,
    /// When the round before has ended: a round begins then, or a little later.
    idle_since: Option<Duration>,
    attempts: Vec<(Duration, String, Attempted)>,
}

impl Reader {
    pub(crate) fn new(process: &str, instance: Option<String>, first_call: u64) -> Self {
        Self {
            process: process.to_owned(),
            instance,
            link: (None, 0, 0),
            round: first_call,
            idle_since: None,
            attempts: Vec::new(),
        }
    }

    /// The session that the link has, or had last.
    pub(crate) fn session(&self) -> Option<i64> {
        self.link.0
    }

    /// What a line says that was logged at a time.
    pub(crate) fn line(&mut self, at: Duration, line: &str) -> Vec<Record> {
        let line = &plain(line);
        if let Some(phase) = self.phase(line) {
            let (session, epoch, reconnects) = self.link;
            let process = self.process.clone();
            return vec![Record { at, what: What::Link { process, phase, session, epoch, reconnects } }];
        }
        if let Some(name) = &self.instance {
            let (process, name) = (self.process.clone(), name.clone());
            let status = |status| Record { at, what: What::Status { process, name, status } };
            return stated(line).map(status).into_iter().collect();
        }
        self.round_line(at, line)
    }

    fn phase(&mut self, line: &str) -> Option<LinkPhase> {
        if line.contains(": connected session=") || line.contains(": session resumed session=") {
            let number = |name| field(line, name).and_then(|text| text.parse().ok());
            self.link = (id(line, "session"), number("epoch")?, number("reconnects")?);
            return Some(LinkPhase::Connected);
        }
        for (text, phase) in [
            (": connection lost session=", LinkPhase::Suspended),
            (": session presumed lost session=", LinkPhase::Lost),
            (": session closed session=", LinkPhase::Closed),
        ] {
            if line.contains(text) {
                return Some(phase);
            }
        }
        None
    }

    /// A round has no line for its beginning: it begins when the one before has ended, or up to its interval later. Nor has an
    /// attempt, or one that was not answered.
    fn round_line(&mut self, at: Duration, line: &str) -> Vec<Record> {
        if let Some((_, rest)) = line.split_once(": attempt failed endpoint=") {
            let endpoint = rest.split_whitespace().next().unwrap_or_default().to_owned();
            let refused = system_tests::os_message(nix::errno::Errno::ECONNREFUSED);
            let outcome = if line.contains(&refused) { Attempted::Refused } else { Attempted::Failed };
            self.attempts.push((at, endpoint, outcome));
            return vec![];
        }
        let outcome = if line.starts_with("round ") {
            // `round 3: out of time after 5.0s, 2 attempts, ...`
            let reason = line.split_once(": ").map_or("", |(_, reason)| reason);
            let reason = reason.split_once(" after ").map_or(reason, |(reason, _)| reason);
            Called::Failed { reason: reason.replace(' ', "_") }
        } else if line.contains(": round answered ") {
            let Some(endpoint) = field(line, "endpoint") else { return vec![] };
            self.attempts.push((at, endpoint.to_owned(), Attempted::Answered));
            Called::Answered { endpoint: endpoint.to_owned() }
        } else {
            return vec![];
        };
        let attempts = std::mem::take(&mut self.attempts);
        let began = self.idle_since.replace(at);
        // The first round has waited for ZooKeeper, too.
        let Some(began) = began else { return vec![] };
        let id = self.round;
        self.round += 1;
        let mut records = vec![Record {
            at: began,
            what: What::Call { id, process: self.process.clone(), idempotent: true },
        }];
        for (at, endpoint, outcome) in attempts {
            records.push(Record { at, what: What::Attempt { id, endpoint, began: at, outcome } });
        }
        records.push(Record { at, what: What::Called { id, outcome } });
        records
    }
}

fn stated(line: &str) -> Option<Stated> {
    if line.contains(": registered ") {
        return Some(Stated::Registered { czxid: id(line, "czxid")?, session: id(line, "session")? });
    }
    [
        (": registration pending", Stated::Pending),
        (": registration lost", Stated::Pending),
        (": registration unconfirmed", Stated::Unconfirmed),
        (": registration conflict", Stated::Conflict),
        (": registration abandoned", Stated::Abandoned),
        (": deregistered", Stated::Deregistered),
    ]
    .into_iter()
    .find_map(|(text, stated)| line.contains(text).then_some(stated))
}

/// The value of a field of a log line.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// A number in hexadecimal.
fn id(line: &str, name: &str) -> Option<i64> {
    i64::from_str_radix(field(line, name)?.strip_prefix("0x")?, 16).ok()
}

/// A line without the colours of a terminal.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(reader: &mut Reader, millis: u64, line: &str) -> Vec<What> {
        let records = reader.line(Duration::from_millis(millis), line);
        records.into_iter().map(|record| record.what).collect()
    }

    #[test]
    fn a_servers_log_tells_of_its_link_and_its_registration() {
        let mut server = Reader::new("server 4", Some("a:1".into()), 0);
        let link = |phase| {
            let process = "server 4".to_owned();
            What::Link { process, phase, session: Some(0x2a), epoch: 1, reconnects: 3 }
        };
        let status = |status| What::Status { process: "server 4".into(), name: "a:1".into(), status };
        for (line, what) in [
            (
                "T INFO zk_core::supervisor: session resumed session=0x2a epoch=1 reconnects=3 server=Some(\"x\")",
                link(LinkPhase::Connected),
            ),
            (
                "T INFO keeper{path=/r/a:1}: registry::keeper::report: registered czxid=0x7 session=0x2a",
                status(Stated::Registered { czxid: 7, session: 0x2a }),
            ),
            ("T WARN zk_core::supervisor: connection lost session=0x2a server=x", link(LinkPhase::Suspended)),
            (
                "T INFO keeper{path=/r/a:1}: registry::keeper::report: registration unconfirmed: link down",
                status(Stated::Unconfirmed),
            ),
        ] {
            assert_eq!(whats(&mut server, 1, line), [what], "{line}");
        }
        assert_eq!(whats(&mut server, 1, "T INFO daytime_server: listening address=a:1"), []);
    }

    #[test]
    fn a_clients_log_tells_of_its_rounds() {
        let mut client = Reader::new("client 4", None, 70);
        let answered = "T DEBUG daytime_client::ask: round answered endpoint=a:1 attempts=1";
        assert_eq!(whats(&mut client, 5, answered), [], "nobody knows when the first one began");
        let failed = "T DEBUG daytime_client::ask: attempt failed endpoint=b:1 error=connection broke: reset";
        assert_eq!(whats(&mut client, 6, failed), []);
        let attempt = |endpoint: &str, millis, outcome| {
            let began = Duration::from_millis(millis);
            What::Attempt { id: 70, endpoint: endpoint.into(), began, outcome }
        };
        assert_eq!(
            whats(&mut client, 9, answered),
            [
                What::Call { id: 70, process: "client 4".into(), idempotent: true },
                attempt("b:1", 6, Attempted::Failed),
                attempt("a:1", 9, Attempted::Answered),
                What::Called { id: 70, outcome: Called::Answered { endpoint: "a:1".into() } },
            ]
        );
        let lost = whats(&mut client, 20, "round 3: out of time after 5s");
        let reason = "out_of_time".to_owned();
        assert_eq!(lost.last(), Some(&What::Called { id: 71, outcome: Called::Failed { reason } }));
    }
}
