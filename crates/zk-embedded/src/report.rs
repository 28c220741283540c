use std::net::SocketAddr;

use crate::Version;
use crate::machine::Statistics;

/// The facts about a running server that four-letter words print.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) uptime_ms: i64,
    pub(crate) addr: SocketAddr,
    pub(crate) version: Version,
    pub(crate) tick_ms: i64,
    pub(crate) max_connections: usize,
    pub(crate) rejected: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) outstanding: usize,
    pub(crate) connections: Vec<ConnectionReport>,
    pub(crate) statistics: Statistics,
}

/// The facts about one connection that four-letter words print.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionReport {
    pub(crate) peer: SocketAddr,
    /// Requests that were read and not carried out.
    pub(crate) queued: usize,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// When it connected, in milliseconds since 1970.
    pub(crate) established_ms: i64,
    /// 0 before there is a session.
    pub(crate) session: i64,
    pub(crate) timeout_ms: i32,
    /// Apache ZooKeeper's short name of the last operation.
    pub(crate) last_op: &'static str,
    pub(crate) last_xid: Option<i32>,
    pub(crate) last_zxid: i64,
    /// When the last reply was sent, in milliseconds since 1970.
    pub(crate) last_response_ms: i64,
}
