//! A machine with a clock that stands still, and short words for what is asked of it.

use std::net::{IpAddr, Ipv4Addr};

use crate::machine::{ConnectionId, Machine, Output, Settings};
use zk_wire::*;

/// When all tests begin: a whole number of ticks.
pub(super) const START: i64 = 1_700_000_000_000;

pub(super) struct Lab {
    pub(super) machine: Machine,
    pub(super) now: i64,
    xid: i32,
    connections: ConnectionId,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self { machine: Machine::new(settings), now: START, xid: 0, connections: 0 }
    }

    /// Opens a session, and returns its connection.
    pub(super) fn connect(&mut self) -> ConnectionId {
        let (connection, outputs) = self.dial(new_session());
        assert!(matches!(&outputs[..], [Output::Connected { .. }]), "{outputs:?}");
        connection
    }

    /// Opens a connection with a first frame.
    pub(super) fn dial(&mut self, request: ConnectRequest) -> (ConnectionId, Vec<Output>) {
        self.dial_from(Ipv4Addr::LOCALHOST.into(), request)
    }

    pub(super) fn dial_from(&mut self, peer: IpAddr, request: ConnectRequest) -> (ConnectionId, Vec<Output>) {
        self.connections += 1;
        (self.connections, self.machine.connect(self.now, self.connections, peer, request))
    }

    pub(super) fn session(&self, connection: ConnectionId) -> i64 {
        self.machine.session_of(connection).unwrap()
    }

    /// Returns all that a request brings about.
    pub(super) fn outputs(&mut self, connection: ConnectionId, request: Request) -> Vec<Output> {
        self.xid += 1;
        self.machine.request(self.now, connection, Framed { xid: self.xid, request })
    }

    /// Returns the reply to a request, and checks that it is the last output and bears the right numbers.
    pub(super) fn ask(&mut self, connection: ConnectionId, request: Request) -> Result<Response, ErrorCode> {
        let mut outputs = self.outputs(connection, request);
        let newest = self.machine.statistics().zxid;
        match outputs.pop() {
            Some(Output::Reply { connection: to, xid, zxid, result }) => {
                assert_eq!((to, xid, zxid), (connection, self.xid, newest));
                result
            }
            other => panic!("no reply, but {other:?}"),
        }
    }

    pub(super) fn ok(&mut self, connection: ConnectionId, request: Request) -> Response {
        let shown = format!("{request:?}");
        self.ask(connection, request).unwrap_or_else(|code| panic!("{code:?} for {shown}"))
    }

    /// Returns the events that a request brings to a connection.
    pub(super) fn events(
        &mut self,
        connection: ConnectionId,
        request: Request,
        watcher: ConnectionId,
    ) -> Vec<(EventKind, String)> {
        events(&self.outputs(connection, request), watcher)
    }

    pub(super) fn stat(&mut self, connection: ConnectionId, path: &str) -> Stat {
        let Response::Stat(stat) = self.ok(connection, exists(path)) else { panic!("no stat") };
        stat
    }

    pub(super) fn is_there(&mut self, connection: ConnectionId, path: &str) -> bool {
        self.ask(connection, exists(path)).is_ok()
    }

    pub(super) fn zxid(&self) -> i64 {
        self.machine.statistics().zxid
    }
}

pub(super) fn events(outputs: &[Output], watcher: ConnectionId) -> Vec<(EventKind, String)> {
    let events = outputs.iter().filter_map(|output| match output {
        Output::Event { connection, event, .. } if *connection == watcher => {
            Some((event.kind, event.path.clone()))
        }
        _ => None,
    });
    events.collect()
}

pub(super) fn event(kind: EventKind, path: &str) -> (EventKind, String) {
    (kind, path.into())
}

pub(super) fn new_session() -> ConnectRequest {
    ConnectRequest::new(10_000)
}

pub(super) fn acl(permissions: i32, scheme: &str, id: &str) -> Vec<Acl> {
    vec![Acl::new(permissions, scheme, id)]
}

pub(super) fn open() -> Vec<Acl> {
    vec![Acl::open()]
}

pub(super) fn create_as(kind: CreateKind, path: &str, flags: i32, ttl: i64) -> Request {
    Request::Create { kind, path: path.into(), data: Some(Vec::new()), acl: Some(open()), flags, ttl }
}

pub(super) fn create_with(path: &str, acl: Vec<Acl>) -> Request {
    let data = Some(b"data".to_vec());
    Request::Create { kind: CreateKind::Create, path: path.into(), data, acl: Some(acl), flags: 0, ttl: -1 }
}

pub(super) fn create(path: &str) -> Request {
    create_as(CreateKind::Create, path, 0, -1)
}

pub(super) fn ephemeral(path: &str) -> Request {
    create_as(CreateKind::Create, path, 1, -1)
}

pub(super) fn sequential(path: &str) -> Request {
    create_as(CreateKind::Create, path, 2, -1)
}

pub(super) fn container(path: &str) -> Request {
    create_as(CreateKind::Container, path, 4, -1)
}

pub(super) fn delete(path: &str) -> Request {
    delete_version(path, -1)
}

pub(super) fn delete_version(path: &str, version: i32) -> Request {
    Request::Delete { path: path.into(), version }
}

pub(super) fn set(path: &str, data: &str) -> Request {
    set_version(path, data, -1)
}

pub(super) fn set_version(path: &str, data: &str, version: i32) -> Request {
    Request::SetData { path: path.into(), data: Some(data.into()), version }
}

pub(super) fn set_acl(path: &str, acl: Vec<Acl>, version: i32) -> Request {
    Request::SetAcl { path: path.into(), acl: Some(acl), version }
}

pub(super) fn check(path: &str, version: i32) -> Request {
    Request::Check { path: path.into(), version }
}

pub(super) fn exists(path: &str) -> Request {
    Request::Exists { path: path.into(), watch: false }
}

pub(super) fn get(path: &str) -> Request {
    Request::GetData { path: path.into(), watch: false }
}

pub(super) fn list(path: &str) -> Request {
    Request::GetChildren { path: path.into(), watch: false }
}

pub(super) fn auth(scheme: &str, credentials: &str) -> Request {
    Request::Auth { kind: 0, scheme: scheme.into(), data: Some(credentials.into()) }
}

pub(super) fn strings<const N: usize>(strings: [&str; N]) -> Vec<String> {
    strings.map(String::from).to_vec()
}
