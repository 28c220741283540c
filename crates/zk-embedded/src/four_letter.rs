//! Four-letter words: an operator sends one on a connection of its own, and gets a text.

mod date;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::Version;
use crate::machine::WatchKind;
use crate::report::{ConnectionReport, Report};
use date::date;

/// How long a connection may be without a session.
const SESSIONLESS_MS: i64 = 10_000;

/// A word that Apache ZooKeeper knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Ruok,
    Srvr,
    Stat,
    Mntr,
    Conf,
    Cons,
    Envi,
    Wchs,
    Dump,
    Isro,
    /// Known to Apache ZooKeeper, and not served here.
    Other(&'static str),
}

impl Word {
    /// Reads the first four bytes of a connection; anything else is the length of a frame.
    pub(crate) fn parse(bytes: [u8; 4]) -> Option<Self> {
        Some(match &bytes {
            b"ruok" => Self::Ruok,
            b"srvr" => Self::Srvr,
            b"stat" => Self::Stat,
            b"mntr" => Self::Mntr,
            b"conf" => Self::Conf,
            b"cons" => Self::Cons,
            b"envi" => Self::Envi,
            b"wchs" => Self::Wchs,
            b"dump" => Self::Dump,
            b"isro" => Self::Isro,
            b"crst" => Self::Other("crst"),
            b"dirs" => Self::Other("dirs"),
            b"gtmk" => Self::Other("gtmk"),
            b"hash" => Self::Other("hash"),
            b"srst" => Self::Other("srst"),
            b"stmk" => Self::Other("stmk"),
            b"wchc" => Self::Other("wchc"),
            b"wchp" => Self::Other("wchp"),
            _ => return None,
        })
    }
}

/// Returns the reply to a word.
pub(crate) fn reply(word: Word, report: &Report) -> String {
    let mut text = String::new();
    let written = match word {
        Word::Ruok => write!(text, "imok"),
        Word::Srvr => srvr(&mut text, report),
        Word::Stat => stat(&mut text, report),
        Word::Mntr => mntr(&mut text, report),
        Word::Conf => conf(&mut text, report),
        Word::Cons => cons(&mut text, report),
        Word::Envi => {
            write!(text, "Environment:\nzookeeper.version={}\nhost.name=localhost\n", version(report))
        }
        Word::Wchs => wchs(&mut text, report),
        Word::Dump => dump(&mut text, report),
        Word::Isro => write!(text, "rw"),
        Word::Other(word) => {
            writeln!(text, "{word} is not executed because it is not in the whitelist.")
        }
    };
    written.expect("a string takes what is written to it");
    text
}

/// The version of ZooKeeper whose behaviour this is, with our name in the place of its commit.
fn version(report: &Report) -> String {
    format!("{}-zk-embedded {}", report.version.number(), env!("CARGO_PKG_VERSION"))
}

/// The average latency, which is not measured: older servers print whole milliseconds.
fn no_latency(report: &Report) -> &'static str {
    if report.version < Version::V3_6 { "0" } else { "0.0" }
}

fn srvr(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "Zookeeper version: {}", version(report))?;
    server(out, report)
}

fn stat(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "Zookeeper version: {}\nClients:", version(report))?;
    for connection in &report.connections {
        brief(out, connection)?;
        writeln!(out, ")")?;
    }
    writeln!(out)?;
    server(out, report)
}

fn server(out: &mut String, report: &Report) -> std::fmt::Result {
    let Report { received, sent, outstanding, connections, statistics, .. } = report;
    // Latencies are not measured: there is neither disk nor quorum to wait for.
    writeln!(out, "Latency min/avg/max: 0/{}/0", no_latency(report))?;
    writeln!(out, "Received: {received}\nSent: {sent}\nConnections: {}", connections.len())?;
    writeln!(out, "Outstanding: {outstanding}\nZxid: {:#x}\nMode: standalone", statistics.zxid)?;
    writeln!(out, "Node count: {}", statistics.znodes)
}

fn mntr(out: &mut String, report: &Report) -> std::fmt::Result {
    let statistics = &report.statistics;
    writeln!(out, "zk_version\t{}\nzk_server_state\tstandalone", version(report))?;
    let metrics = [
        ("ephemerals_count", statistics.ephemerals as u64),
        ("num_alive_connections", report.connections.len() as u64),
        ("outstanding_requests", report.outstanding as u64),
        ("znode_count", statistics.znodes as u64),
        ("global_sessions", statistics.sessions.len() as u64),
        ("local_sessions", 0),
        ("packets_sent", report.sent),
        ("packets_received", report.received),
        ("connection_rejected", report.rejected),
        ("watch_count", statistics.watches.len() as u64),
        ("min_latency", 0),
        ("max_latency", 0),
        ("approximate_data_size", statistics.data_size as u64),
        ("uptime", report.uptime_ms.unsigned_abs()),
    ];
    for (name, value) in metrics {
        writeln!(out, "zk_{name}\t{value}")?;
    }
    writeln!(out, "zk_avg_latency\t{}", no_latency(report))
}

fn conf(out: &mut String, report: &Report) -> std::fmt::Result {
    let tick = report.tick_ms;
    writeln!(out, "clientPort={}\nsecureClientPort=-1", report.addr.port())?;
    // There are no folders, and this cannot be mistaken for one.
    writeln!(out, "dataDir=(memory)\ndataDirSize=0\ndataLogDir=(memory)\ndataLogSize=0")?;
    writeln!(out, "tickTime={tick}\nmaxClientCnxns={}", report.max_connections)?;
    writeln!(out, "minSessionTimeout={}\nmaxSessionTimeout={}", tick * 2, tick * 20)?;
    writeln!(out, "clientPortListenBacklog=-1\nserverId=0")
}

fn cons(out: &mut String, report: &Report) -> std::fmt::Result {
    for connection in &report.connections {
        brief(out, connection)?;
        if connection.session != 0 {
            write!(out, ",sid={:#x},lop={}", connection.session, connection.last_op)?;
            write!(out, ",est={},to={}", connection.established_ms, connection.timeout_ms)?;
            if let Some(xid) = connection.last_xid {
                write!(out, ",lcxid={xid:#x}")?;
            }
            write!(out, ",lzxid={:#x},lresp={}", connection.last_zxid, connection.last_response_ms)?;
            write!(out, ",llat=0,minlat=0,avglat=0,maxlat=0")?;
        }
        writeln!(out, ")")?;
    }
    writeln!(out)
}

fn brief(out: &mut String, connection: &ConnectionReport) -> std::fmt::Result {
    let ConnectionReport { peer, queued, received, sent, .. } = connection;
    // In brackets: what the connection waits for; 1 is reading, and nothing is for one that asks for these words.
    let interest = i32::from(connection.session != 0);
    write!(out, " /{peer}[{interest}](queued={queued},recved={received},sent={sent}")
}

/// Like Apache ZooKeeper, it counts only the watches on znodes themselves, not those on lists of children.
fn wchs(out: &mut String, report: &Report) -> std::fmt::Result {
    let watches: Vec<_> =
        report.statistics.watches.iter().filter(|watch| watch.kind == WatchKind::Data).collect();
    let connections: BTreeSet<_> = watches.iter().map(|watch| watch.connection).collect();
    let paths: BTreeSet<_> = watches.iter().map(|watch| &watch.path).collect();
    writeln!(out, "{} connections watching {} paths", connections.len(), paths.len())?;
    writeln!(out, "Total watches:{}", watches.len())
}

fn dump(out: &mut String, report: &Report) -> std::fmt::Result {
    let sessions = &report.statistics.sessions;
    writeln!(out, "SessionTracker dump:")?;
    write!(out, "Session ")?;
    sets(out, sessions.iter().map(|session| (session.expires_at, format!("{:#x}", session.session))))?;

    writeln!(out, "ephemeral nodes dump:")?;
    let owners: Vec<_> = sessions.iter().filter(|session| !session.ephemerals.is_empty()).collect();
    writeln!(out, "Sessions with Ephemerals ({}):", owners.len())?;
    for owner in owners {
        writeln!(out, "{:#x}:", owner.session)?;
        for path in &owner.ephemerals {
            writeln!(out, "\t{path}")?;
        }
    }

    writeln!(out, "Connections dump:")?;
    write!(out, "Connections ")?;
    let ends: BTreeMap<_, _> = sessions.iter().map(|session| (session.session, session.expires_at)).collect();
    let connections = report.connections.iter().map(|connection| {
        let sessionless = connection.established_ms + SESSIONLESS_MS;
        let end = ends.get(&connection.session).copied().unwrap_or(sessionless);
        (end, format!("ip: /{} sessionId: {:#x}", connection.peer, connection.session))
    });
    sets(out, connections)
}

/// Writes items under the time at which they end.
fn sets(out: &mut String, items: impl Iterator<Item = (i64, String)>) -> std::fmt::Result {
    let mut by_time = BTreeMap::<i64, Vec<String>>::new();
    for (time, item) in items {
        by_time.entry(time).or_default().push(item);
    }
    let count: usize = by_time.values().map(Vec::len).sum();
    writeln!(out, "Sets ({})/({count}):", by_time.len())?;
    for (time, items) in by_time {
        writeln!(out, "{} expire at {}:", items.len(), date(time))?;
        for item in items {
            writeln!(out, "\t{item}")?;
        }
    }
    Ok(())
}
