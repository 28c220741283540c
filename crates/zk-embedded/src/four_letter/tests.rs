use super::*;
use crate::machine::{SessionStatistics, Statistics, WatchMode, WatchStatistics};

fn report() -> Report {
    let peer = "127.0.0.1:45686".parse().expect("an address");
    let session = 0x100_0000_0000_0001;
    let connection = ConnectionReport {
        peer,
        queued: 0,
        received: 5,
        sent: 4,
        established_ms: 1_795_355_860_000,
        session,
        timeout_ms: 10_000,
        last_op: "CREA",
        last_xid: Some(10),
        last_zxid: 7,
        last_response_ms: 1_795_355_864_000,
    };
    let asker = ConnectionReport {
        peer: "127.0.0.1:45687".parse().expect("an address"),
        received: 1,
        sent: 0,
        session: 0,
        ..connection.clone()
    };
    let watch = WatchStatistics {
        path: "/e".into(),
        connection: 1,
        session,
        kind: WatchKind::Data,
        mode: WatchMode::Once,
    };
    Report {
        uptime_ms: 4500,
        version: Version::V3_8,
        addr: "127.0.0.1:2181".parse().expect("an address"),
        tick_ms: 2000,
        max_connections: 1000,
        rejected: 3,
        received: 6,
        sent: 4,
        outstanding: 0,
        connections: vec![connection, asker],
        statistics: Statistics {
            zxid: 7,
            znodes: 6,
            ephemerals: 1,
            data_size: 47,
            sessions: vec![SessionStatistics {
                session,
                timeout_ms: 10_000,
                expires_at: 1_795_355_874_000,
                connection: Some(1),
                ephemerals: vec!["/e".into()],
            }],
            watches: vec![watch.clone(), WatchStatistics { kind: WatchKind::Children, ..watch }],
        },
    }
}

#[test]
fn srvr_has_version_metrics_and_mode() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        reply(Word::Srvr, &report()),
        format!(
            "Zookeeper version: 3.8.0-zk-embedded {version}\nLatency min/avg/max: 0/0.0/0\nReceived: 6\nSent: 4\n\
             Connections: 2\nOutstanding: 0\nZxid: 0x7\nMode: standalone\nNode count: 6\n"
        )
    );
}

#[test]
fn stat_lists_the_clients_in_brief() {
    let stat = reply(Word::Stat, &report());
    let clients = "Clients:\n /127.0.0.1:45686[1](queued=0,recved=5,sent=4)\n \
                   /127.0.0.1:45687[0](queued=0,recved=1,sent=0)\n\nLatency";
    assert!(stat.contains(clients), "{stat}");
}

#[test]
fn cons_lists_the_clients_in_full() {
    assert_eq!(
        reply(Word::Cons, &report()),
        " /127.0.0.1:45686[1](queued=0,recved=5,sent=4,sid=0x100000000000001,lop=CREA,est=1795355860000,to=10000,\
         lcxid=0xa,lzxid=0x7,lresp=1795355864000,llat=0,minlat=0,avglat=0,maxlat=0)\n \
         /127.0.0.1:45687[0](queued=0,recved=1,sent=0)\n\n"
    );
}

#[test]
fn wchs_counts_the_watches_on_znodes() {
    assert_eq!(reply(Word::Wchs, &report()), "1 connections watching 1 paths\nTotal watches:1\n");
}

#[test]
fn dump_lists_sessions_ephemerals_and_connections() {
    assert_eq!(
        reply(Word::Dump, &report()),
        "SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at Sun Nov 22 13:57:54 UTC 2026:\n\t0x100000000000001\n\
         ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x100000000000001:\n\t/e\n\
         Connections dump:\nConnections Sets (2)/(2):\n1 expire at Sun Nov 22 13:57:50 UTC 2026:\n\
         \tip: /127.0.0.1:45687 sessionId: 0x0\n1 expire at Sun Nov 22 13:57:54 UTC 2026:\n\
         \tip: /127.0.0.1:45686 sessionId: 0x100000000000001\n"
    );
}

#[test]
fn mntr_and_conf_have_the_keys_that_monitors_read() {
    let mntr = reply(Word::Mntr, &report());
    for line in ["zk_server_state\tstandalone", "zk_znode_count\t6", "zk_watch_count\t2", "zk_uptime\t4500"] {
        assert!(mntr.lines().any(|found| found == line), "{line} is not in {mntr}");
    }
    let conf = reply(Word::Conf, &report());
    for line in ["clientPort=2181", "tickTime=2000", "minSessionTimeout=4000", "maxSessionTimeout=40000"] {
        assert!(conf.lines().any(|found| found == line), "{line} is not in {conf}");
    }
}

#[test]
fn a_word_that_is_not_served_gets_the_reply_of_a_server_that_does_not_allow_it() {
    let word = Word::parse(*b"wchp").expect("Apache ZooKeeper knows it");
    assert_eq!(reply(word, &report()), "wchp is not executed because it is not in the whitelist.\n");
    assert_eq!(Word::parse(*b"xyzw"), None);
}
