//! Random requests, and what holds whatever they are.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::lab::*;
use crate::Version;
use crate::machine::{ConnectionId, Output, path};
use zk_wire::*;

#[derive(Clone, Debug)]
enum Step {
    Connect,
    Disconnect(usize),
    Reattach(usize),
    Request(usize, Request),
    Wait(i64),
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4)
            .prop_map(|names| format!("/{}", names.join("/"))),
        1 => prop::sample::select(vec!["/", "", "a", "/a/", "/zookeeper", "/a/..", "//"]).prop_map(String::from),
    ]
}

fn any_write() -> impl Strategy<Value = Request> {
    let kind = prop::sample::select(vec![
        CreateKind::Create,
        CreateKind::Create2,
        CreateKind::Container,
        CreateKind::Ttl,
    ]);
    let version = prop_oneof![4 => Just(-1), 1 => 0..3];
    prop_oneof![
        4 => (kind, any_path(), -1..8, -1_i64..2)
            .prop_map(|(kind, path, flags, ttl)| create_as(kind, &path, flags, ttl)),
        2 => any_path().prop_map(|path| ephemeral(&path)),
        3 => (any_path(), version.clone()).prop_map(|(path, version)| Request::Delete { path, version }),
        2 => (any_path(), version.clone(), any::<Option<[u8; 2]>>()).prop_map(|(path, version, data)| {
            Request::SetData { path, version, data: data.map(|data| data.to_vec()) }
        }),
        1 => (any_path(), version).prop_map(|(path, version)| Request::Check { path, version }),
    ]
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        6 => any_write(),
        2 => prop::collection::vec(any_write(), 0..4).prop_map(|operations| Request::Multi { operations }),
        1 => (any_path(), any::<bool>()).prop_map(|(path, watch)| Request::Exists { path, watch }),
        1 => (any_path(), any::<bool>()).prop_map(|(path, watch)| Request::GetData { path, watch }),
        1 => (any_path(), any::<bool>()).prop_map(|(path, watch)| Request::GetChildren { path, watch }),
        1 => (any_path(), 0..3).prop_map(|(path, mode)| Request::AddWatch { path, mode }),
        1 => (any_path(), 0..5).prop_map(|(path, kind)| Request::RemoveWatches { path, kind }),
        1 => any_path().prop_map(|path| set_acl(&path, open(), -1)),
        1 => Just(Request::Ping),
        1 => Just(Request::CloseSession),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Connect),
        1 => (0..8_usize).prop_map(Step::Disconnect),
        1 => (0..8_usize).prop_map(Step::Reattach),
        16 => (0..8_usize, any_request()).prop_map(|(index, request)| Step::Request(index, request)),
        2 => (0..15_000_i64).prop_map(Step::Wait),
    ]
}

/// What the outside knows: open connections, and sessions with their passwords.
#[derive(Default)]
struct Outside {
    connections: Vec<ConnectionId>,
    sessions: Vec<(i64, Vec<u8>)>,
}

impl Outside {
    fn take(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Connected { connection, response } => {
                    self.connections.push(*connection);
                    self.sessions.push((response.session_id, response.password.clone()));
                }
                Output::Close { connection } => self.connections.retain(|open| open != connection),
                Output::Reply { connection, .. } | Output::Event { connection, .. } => {
                    assert!(self.connections.contains(connection), "{output:?} for a closed connection");
                }
                Output::SessionEnded { .. } => {}
            }
        }
    }

    fn connection(&self, index: usize) -> Option<ConnectionId> {
        self.connections.get(index % self.connections.len().max(1)).copied()
    }
}

fn run(steps: Vec<Step>) {
    let mut lab = Lab::new();
    let mut outside = Outside::default();
    let mut zxid = 0;
    for step in steps {
        let outputs = match step {
            Step::Connect => lab.dial(new_session()).1,
            Step::Disconnect(index) => {
                if let Some(connection) = outside.connection(index) {
                    lab.machine.disconnected(lab.now, connection);
                    outside.connections.retain(|open| *open != connection);
                }
                Vec::new()
            }
            Step::Reattach(index) => match outside.sessions.get(index % outside.sessions.len().max(1)) {
                Some((session_id, password)) => {
                    let (session_id, password) = (*session_id, password.clone());
                    lab.dial(ConnectRequest { session_id, password: Some(password), ..new_session() }).1
                }
                None => Vec::new(),
            },
            Step::Request(index, request) => outside
                .connection(index)
                .map(|connection| lab.outputs(connection, request))
                .unwrap_or_default(),
            Step::Wait(ms) => {
                lab.now += ms;
                lab.machine.advance(lab.now)
            }
        };
        outside.take(&outputs);
        assert!(lab.zxid() >= zxid, "zxids do not go back");
        zxid = lab.zxid();
        check_invariants(&lab);
        assert!(outside.connections.iter().all(|connection| lab.machine.session_of(*connection).is_some()));
    }
}

fn check_invariants(lab: &Lab) {
    let znodes: BTreeMap<_, _> = lab.machine.tree.all().collect();
    let statistics = lab.machine.statistics();
    let sessions: BTreeSet<i64> = statistics.sessions.iter().map(|session| session.session).collect();
    let mut children: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut size = "/".len();
    let mut owned = BTreeMap::new();
    for (path, znode) in &znodes {
        size += path.len() + znode.data_length();
        let stat = znode.stat();
        assert!(stat.czxid <= stat.mzxid && stat.czxid <= stat.pzxid && stat.pzxid <= statistics.zxid);
        assert!(stat.num_children as usize == znode.children.len() && stat.version >= 0);
        if stat.ephemeral_owner != 0 {
            assert!(sessions.contains(&stat.ephemeral_owner), "{path} has a dead owner");
            assert!(znode.children.is_empty());
            owned.entry(stat.ephemeral_owner).or_insert_with(BTreeSet::new).insert(path.as_str());
        }
        if !path.is_empty() {
            assert_eq!(path::validate(path, Version::V3_8), Ok(()));
            let (parent, name) = path::split(path);
            children.entry(parent).or_default().insert(name);
        }
    }
    for (path, znode) in &znodes {
        let listed: BTreeSet<&str> = znode.children.iter().map(|name| &**name).collect();
        assert_eq!(listed, children.remove(path.as_str()).unwrap_or_default(), "children of {path:?}");
    }
    assert!(children.is_empty(), "orphans: {children:?}");
    assert_eq!(statistics.data_size, size);
    for session in &statistics.sessions {
        let ephemerals: BTreeSet<&str> = session.ephemerals.iter().map(String::as_str).collect();
        assert_eq!(ephemerals, owned.remove(&session.session).unwrap_or_default());
        let attached = session.connection.and_then(|connection| lab.machine.session_of(connection));
        assert!(session.connection.is_none() || attached == Some(session.session));
    }
    for watch in &statistics.watches {
        assert_eq!(lab.machine.session_of(watch.connection), Some(watch.session), "{watch:?}");
    }
}

proptest! {
    #[test]
    fn random_requests_leave_the_tree_and_the_sessions_consistent(steps in prop::collection::vec(any_step(), 1..80)) {
        run(steps);
    }
}
