//! Transactions: each is kept, and shown to those who observe.

use tokio::time::Instant;
use zk_core::{SessionId, ZnodePath};
use zk_embedded::machine::{Change, Entry, Machine};

use super::World;
use crate::commit::{Author, Commit, Observer, TreeChange};
use crate::wire;

impl World {
    pub(crate) fn observe(&mut self, observer: Observer) {
        self.observers.push(observer);
    }

    /// Takes the transactions that the leader has just carried out for somebody.
    pub(super) fn committed(&mut self, author: Author, now: Instant) {
        let at = self.since(now);
        for entry in self.leader_mut().map(Machine::take_journal).unwrap_or_default() {
            self.note_sessions(&entry, author);
            self.show(&entry, author, now);
            self.journal.push(at, entry);
            self.replicate(now);
        }
        let up = self.servers.iter().filter(|server| server.is_up);
        let applied = up.map(|server| server.applied).min().unwrap_or_default();
        self.journal.fold(at, applied);
    }

    fn note_sessions(&mut self, entry: &Entry, author: Author) {
        if let [Change::SessionOpened { session, .. }] = entry.changes[..] {
            let client = match author {
                Author::Client(client) => Some(client),
                _ => None,
            };
            self.sessions.insert(session, client);
        }
    }

    fn show(&mut self, entry: &Entry, author: Author, now: Instant) {
        if self.observers.is_empty() {
            return;
        }
        let changes: Vec<_> = entry.changes.iter().filter_map(|change| self.tree_change(change)).collect();
        if changes.is_empty() {
            return;
        }
        let author = match (author, &changes[0]) {
            (_, TreeChange::SessionEnded { session, expired }) => {
                Author::SessionEnd { session: *session, expired: *expired }
            }
            (Author::Ensemble, TreeChange::SessionBegan { session, client: None }) => {
                Author::Operator(*session)
            }
            _ => author,
        };
        let commit = Commit { at: self.since(now), zxid: entry.zxid, author, changes };
        self.tell(&commit);
    }

    fn tell(&mut self, commit: &Commit) {
        for observer in &mut self.observers {
            observer(commit);
        }
    }

    fn tree_change(&self, change: &Change) -> Option<TreeChange> {
        let bytes = |data: &Option<Vec<u8>>| data.clone().unwrap_or_default();
        Some(match change {
            Change::SessionOpened { session, .. } => self.began(*session),
            Change::SessionEnded { session, expired } => {
                TreeChange::SessionEnded { session: SessionId(*session), expired: *expired }
            }
            Change::Created { path, data, stat, .. } => TreeChange::Created {
                path: ZnodePath::parse(path).ok()?,
                data: bytes(data),
                stat: wire::stat_of(stat),
            },
            Change::Written { path, data, stat } => TreeChange::Written {
                path: ZnodePath::parse(path).ok()?,
                data: bytes(data),
                stat: wire::stat_of(stat),
            },
            Change::Deleted { path } => TreeChange::Deleted { path: ZnodePath::parse(path).ok()? },
            _ => return None,
        })
    }

    fn began(&self, session: i64) -> TreeChange {
        let client = self.sessions.get(&session).copied().flatten();
        TreeChange::SessionBegan { session: SessionId(session), client }
    }

    /// Shows everything that there is, as if it had just begun.
    pub(super) fn show_restored(&mut self, server: usize, now: Instant) {
        if self.observers.is_empty() {
            return;
        }
        let machine = &self.servers[server].machine;
        let sessions = machine.statistics().sessions;
        let mut changes: Vec<_> = sessions.iter().map(|session| self.began(session.session)).collect();
        changes.extend(machine.znodes().filter_map(|(path, data, stat)| {
            let path = ZnodePath::parse(path).ok().filter(|path| !path.is_root())?;
            Some(TreeChange::Created { path, data: data.to_vec(), stat: wire::stat_of(&stat) })
        }));
        let (at, zxid) = (self.since(now), machine.zxid());
        self.tell(&Commit { at, zxid, author: Author::Restored, changes });
    }
}
