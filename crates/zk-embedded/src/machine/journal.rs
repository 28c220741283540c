//! The transactions as a log, from which another machine becomes the same: what a leader sends its followers.

use zk_wire::{Acl, Stat};

use super::owner::Owner;
use super::prepare::Transaction;
use super::tree::NewZnode;
use super::{ConnectionId, Machine, Output, Settings};

/// One transaction that was carried out. A request that fails is one without changes: it has a zxid, too.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number.
    pub zxid: i64,
    /// What it has changed, in order.
    pub changes: Vec<Change>,
}

/// A change by a transaction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// A session was opened.
    SessionOpened {
        /// Its id.
        session: i64,
        /// The timeout that was granted, in milliseconds.
        timeout_ms: i32,
    },
    /// A session has ended; its ephemeral znodes are deleted in what follows.
    SessionEnded {
        /// Its id.
        session: i64,
        /// Whether it was silent for too long, rather than closed by its client.
        expired: bool,
    },
    /// A znode was created.
    Created {
        /// Its path.
        path: String,
        /// Its data.
        data: Option<Vec<u8>>,
        /// Its stat.
        stat: Stat,
        /// What the stat does not show.
        hidden: Hidden,
    },
    /// The data of a znode was written.
    Written {
        /// Its path.
        path: String,
        /// Its data.
        data: Option<Vec<u8>>,
        /// Its stat.
        stat: Stat,
    },
    /// The ACL of a znode was set.
    AclSet {
        /// Its path.
        path: String,
        /// Who may do what.
        acl: Vec<Acl>,
        /// The version of the ACL.
        aversion: i32,
    },
    /// A znode was deleted.
    Deleted {
        /// Its path.
        path: String,
    },
}

/// What the stat of a new znode does not show.
#[derive(Clone, Debug)]
pub struct Hidden {
    acl: Vec<Acl>,
    owner: Owner,
    parent_creates: i32,
}

impl Hidden {
    pub(super) fn of(new: &NewZnode, parent_creates: i32) -> Self {
        Self { acl: new.acl.clone(), owner: new.owner, parent_creates }
    }
}

/// The transactions since the log was last taken, if it is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal(Option<Vec<Entry>>);

impl Journal {
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self, zxid: i64) {
        if let Some(entries) = &mut self.0 {
            entries.push(Entry { zxid, changes: Vec::new() });
        }
    }

    /// Adds a change to the transaction that has begun last.
    pub(super) fn add(&mut self, change: impl FnOnce() -> Change) {
        if let Some(entry) = self.0.as_mut().and_then(|entries| entries.last_mut()) {
            entry.changes.push(change());
        }
    }
}

impl Machine {
    /// Keeps a log of the transactions from now on, or no longer does.
    pub fn keep_journal(&mut self, keep: bool) {
        self.journal = Journal(keep.then(Vec::new));
    }

    /// Takes the transactions since this was last called; none if no log is [kept](Self::keep_journal).
    pub fn take_journal(&mut self) -> Vec<Entry> {
        self.journal.0.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Carries out a transaction that another machine, which was the same before it, has carried out: the watches of this one
    /// fire, and the connection of a session that ends is closed.
    ///
    /// # Panics
    /// If the machines were not the same before.
    pub fn apply(&mut self, entry: &Entry) -> Vec<Output> {
        let (zxid, mut outputs) = (entry.zxid, Vec::new());
        self.zxid = zxid;
        let mut ended = None;
        for change in &entry.changes {
            match change.clone() {
                Change::SessionOpened { session, timeout_ms } => self.sessions.insert(session, timeout_ms),
                Change::SessionEnded { session, expired } => {
                    self.sessions.remove(session);
                    ended = Some((session, expired));
                }
                Change::Created { path, data, stat, hidden: Hidden { acl, owner, parent_creates } } => {
                    let new = NewZnode { path, data, acl, owner };
                    let create = Transaction::Create { new, parent_creates, with_stat: false };
                    self.commit(create, zxid, stat.ctime, &mut outputs);
                }
                Change::Written { path, data, stat } => {
                    let write = Transaction::SetData { path, data, version: stat.version };
                    self.commit(write, zxid, stat.mtime, &mut outputs);
                }
                Change::AclSet { path, acl, aversion } => {
                    self.commit(Transaction::SetAcl { path, acl, aversion }, zxid, 0, &mut outputs);
                }
                Change::Deleted { path } => self.delete(&path, zxid, &mut outputs),
            }
        }
        if let Some((session, expired)) = ended {
            outputs.push(Output::SessionEnded { session, expired });
            let of_session =
                |(_, attached): &(&ConnectionId, &super::Attachment)| attached.session == session;
            let connections: Vec<_> =
                self.connections.iter().filter(of_session).map(|(connection, _)| *connection).collect();
            for connection in connections {
                self.close(connection, &mut outputs);
            }
        }
        outputs
    }

    /// Takes over a connection that `leader` has granted a session, to serve what it reads and watches.
    pub fn adopt(&mut self, connection: ConnectionId, leader: &Self) {
        if let Some(attachment) = leader.connections.get(&connection) {
            self.connections.insert(connection, attachment.clone());
        }
    }

    /// Is as it would be after a restart of the server with this number: no connection is left, no watch, and no doubt about
    /// sessions, which have their whole timeout before them again. The ids of new ones follow from the time.
    pub fn restart(&mut self, now: i64, server: u8) {
        self.connections.clear();
        self.watches = super::Watches::default();
        self.sessions.restart(now, Settings::first_session(server, now));
        self.sweep = super::Sweep::new(self.settings.container_check_ms);
        self.sweep.start(now);
    }

    /// Begins a new epoch, as the leader that was elected does: the upper half of the zxid is one more, and the lower
    /// one 0.
    pub fn begin_epoch(&mut self) {
        self.zxid = ((self.zxid >> 32) + 1) << 32;
        self.journal.begin(self.zxid);
    }

    /// Returns all znodes by path, the root first, with their data and stats.
    pub fn znodes(&self) -> impl Iterator<Item = (&str, &[u8], Stat)> {
        self.tree.all().map(|(path, znode)| {
            (super::path::shown(path), znode.data.as_deref().unwrap_or_default(), znode.stat())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use zk_wire::{ConnectRequest, CreateKind, Framed, Request};

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn create(path: &str, flags: i32) -> Request {
        let acl = Some(vec![Acl::open()]);
        Request::Create { kind: CreateKind::Create, path: path.into(), data: None, acl, flags, ttl: -1 }
    }

    fn everything(machine: &Machine) -> Vec<(String, Vec<u8>, Stat)> {
        machine.znodes().map(|(path, data, stat)| (path.to_owned(), data.to_vec(), stat)).collect()
    }

    #[test]
    fn a_follower_becomes_the_same_tells_its_watchers_and_closes_connections_of_ended_sessions() {
        let (mut leader, mut follower) =
            (Machine::new(Settings::default()), Machine::new(Settings::default()));
        leader.keep_journal(true);
        let ask = |leader: &mut Machine, request| {
            leader.request(NOW, 1, Framed { xid: 1, request });
        };
        leader.connect(NOW, 1, Ipv4Addr::LOCALHOST.into(), ConnectRequest::new(10_000));
        follower.adopt(1, &leader);
        follower.request(NOW, 1, Framed { xid: 1, request: Request::AddWatch { path: "/".into(), mode: 1 } });
        ask(&mut leader, create("/a", 0));
        ask(&mut leader, create("/a/b", 1));
        ask(&mut leader, create("/a/b", 1));
        ask(&mut leader, Request::SetData { path: "/a".into(), data: Some(b"x".to_vec()), version: 0 });
        ask(&mut leader, Request::SetAcl { path: "/a".into(), acl: Some(vec![Acl::open()]), version: 0 });
        ask(&mut leader, Request::CloseSession);
        leader.begin_epoch();
        let entries = leader.take_journal();
        assert_eq!(
            entries.iter().map(|entry| entry.zxid).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 7, 1 << 32]
        );
        let outputs: Vec<_> = entries.iter().flat_map(|entry| follower.apply(entry)).collect();
        let count = |fits: fn(&Output) -> bool| outputs.iter().filter(|output| fits(output)).count();
        assert_eq!(count(|output| matches!(output, Output::Event { connection: 1, .. })), 4);
        assert_eq!(count(|output| matches!(output, Output::SessionEnded { expired: false, .. })), 1);
        assert_eq!(count(|output| matches!(output, Output::Close { connection: 1 })), 1);
        assert_eq!(everything(&leader), everything(&follower));
        assert_eq!(leader.statistics(), follower.statistics());
        assert!(leader.take_journal().is_empty());
    }

    #[test]
    fn after_a_restart_sessions_have_their_whole_timeout_and_new_ones_other_ids() {
        let mut machine = Machine::new(Settings::default());
        machine.connect(NOW, 1, Ipv4Addr::LOCALHOST.into(), ConnectRequest::new(10_000));
        let before = machine.statistics().sessions[0].clone();
        machine.restart(NOW + 9_000, 1);
        let after = machine.statistics().sessions[0].clone();
        assert_eq!((after.session, after.connection), (before.session, None));
        assert_eq!(
            after.expires_at - before.expires_at,
            8_000 + 2_000 * i64::from(NOW % 2_000 + 9_000 % 2_000 >= 2_000)
        );
        machine.connect(NOW + 9_000, 2, Ipv4Addr::LOCALHOST.into(), ConnectRequest::new(10_000));
        assert_eq!(machine.session_of(2), Some(Settings::first_session(1, NOW + 9_000)));
    }
}
