//! Carries out transactions; each fires its watches before the next begins.

use super::journal::{Change, Hidden};
use super::prepare::Transaction;
use super::{Machine, Output, hash_order, path};
use zk_wire::Stat;

/// The effect of a transaction.
#[derive(Debug)]
pub(super) enum Done {
    Created { path: String, stat: Stat, with_stat: bool },
    Deleted,
    DataSet(Stat),
    AclSet(Stat),
    Checked,
}

impl Machine {
    /// Carries out a transaction that was prepared on the tree as it is.
    pub(super) fn commit(
        &mut self,
        transaction: Transaction,
        zxid: i64,
        now: i64,
        outputs: &mut Vec<Output>,
    ) -> Done {
        match transaction {
            Transaction::Create { new, parent_creates, with_stat } => {
                let path = new.path.clone();
                let kept =
                    self.journal.is_kept().then(|| (Hidden::of(&new, parent_creates), new.data.clone()));
                let stat = self.tree.create(new, parent_creates, zxid, now);
                if let Some((hidden, data)) = kept {
                    self.journal.add(|| Change::Created { path: path.clone(), data, stat, hidden });
                }
                let [created, parent] = self.watches.created(&path);
                for firing in [created, parent] {
                    self.deliver_under_acl(firing, zxid, outputs);
                }
                Done::Created { path, stat, with_stat }
            }
            Transaction::Delete { path } => {
                self.delete(&path, zxid, outputs);
                Done::Deleted
            }
            Transaction::SetData { path, data, version } => {
                let kept = self.journal.is_kept().then(|| data.clone());
                let stat = self.tree.set_data(&path, data, version, zxid, now);
                if let Some(data) = kept {
                    self.journal.add(|| Change::Written { path: path.clone(), data, stat });
                }
                let firing = self.watches.data_changed(&path);
                self.deliver_under_acl(firing, zxid, outputs);
                Done::DataSet(stat)
            }
            Transaction::SetAcl { path, acl, aversion } => {
                self.journal.add(|| Change::AclSet { path: path.clone(), acl: acl.clone(), aversion });
                Done::AclSet(self.tree.set_acl(&path, acl, aversion))
            }
            Transaction::Check => Done::Checked,
        }
    }

    /// Deletes a znode that exists and has no children.
    pub(super) fn delete(&mut self, path: &str, zxid: i64, outputs: &mut Vec<Output>) {
        let znode = self.tree.delete(path, zxid);
        self.journal.add(|| Change::Deleted { path: path.to_owned() });
        let [data, children, parent] = self.watches.deleted(path);
        self.deliver(data, &znode.acl, zxid, outputs);
        self.deliver(children, &znode.acl, zxid, outputs);
        self.deliver_under_acl(parent, zxid, outputs);
    }

    /// Ends a session: its ephemeral znodes go, all in one transaction.
    pub(super) fn delete_ephemerals(&mut self, session: i64, zxid: i64, outputs: &mut Vec<Output>) {
        let mut paths: Vec<String> = self.tree.ephemerals(session).cloned().collect();
        hash_order::sort(&mut paths);
        for path in paths {
            self.delete(&path, zxid, outputs);
        }
    }

    fn deliver_under_acl(&self, firing: super::watches::Firing, zxid: i64, outputs: &mut Vec<Output>) {
        if firing.connections.is_empty() {
            return;
        }
        let znode =
            self.tree.get(path::key(&firing.path)).expect("what was written exists, and so does its parent");
        self.deliver(firing, &znode.acl, zxid, outputs);
    }
}
