//! What the ensemble really is: its transactions, as they happen.

use std::collections::BTreeMap;

use instance::{Format, Plain};
use oracle::{By, Data, What, Znode};
use zk_core::{SessionId, Stat, ZnodePath};
use zk_simulated::{Author, Commit, SimulatedEnsemble, TreeChange};

use super::ROOT;
use super::recorder::Recorder;

/// Records every transaction of the leader from now on.
pub(super) fn follow(ensemble: &SimulatedEnsemble, recorder: &Recorder) {
    let root = ZnodePath::parse(ROOT).expect("a path");
    let truth = Truth { root, recorder: recorder.clone() };
    ensemble.observe(move |commit| truth.take(commit));
}

struct Truth {
    root: ZnodePath,
    recorder: Recorder,
}

impl Truth {
    fn take(&self, commit: &Commit) {
        if commit.author == Author::Restored {
            return self.restored(commit);
        }
        let by = self.by(&commit.author);
        for change in &commit.changes {
            self.changed(commit.zxid, change, &by);
        }
    }

    fn by(&self, author: &Author) -> By {
        match author {
            Author::Client(client) => self.recorder.process_of(*client).map_or(By::Unknown, By::Process),
            Author::Operator(session) => By::Other(format!("session {:#x}", session.0)),
            Author::SessionEnd { .. } => By::SessionEnd,
            _ => By::Other("the ensemble".into()),
        }
    }

    fn changed(&self, zxid: i64, change: &TreeChange, by: &By) {
        let by = by.clone();
        let what = match change {
            TreeChange::Created { path, data, stat } => match self.root.child_name(path) {
                Some(name) => {
                    What::Created { zxid, name: name.to_owned(), znode: znode(name, data, stat), by }
                }
                None if *path == self.root => What::Root { zxid, exists: true, by },
                None => return,
            },
            TreeChange::Written { path, data, .. } => {
                let Some(name) = self.root.child_name(path) else { return };
                What::Written { zxid, name: name.to_owned(), data: read(name, data), by }
            }
            TreeChange::Deleted { path } => {
                self.recorder.deleted();
                match self.root.child_name(path) {
                    Some(name) => What::Deleted { zxid, name: name.to_owned(), by },
                    None if *path == self.root => What::Root { zxid, exists: false, by },
                    None => return,
                }
            }
            TreeChange::SessionBegan { session, client } => {
                self.recorder.session_began(*session, client.is_none());
                // Nobody follows the sessions of others.
                let Some(process) = client.and_then(|client| self.recorder.process_of(client)) else {
                    return;
                };
                What::SessionBegan { session: session.0, process }
            }
            TreeChange::SessionEnded { session, expired } => {
                self.recorder.session_ended(*session);
                What::SessionEnded { session: session.0, expired: *expired }
            }
            // The type may grow.
            _ => return,
        };
        self.recorder.record(what);
    }

    fn restored(&self, commit: &Commit) {
        let (mut children, mut sessions) = (BTreeMap::new(), Vec::new());
        self.recorder.forget_sessions();
        for change in &commit.changes {
            match change {
                TreeChange::Created { path, data, stat } => {
                    if let Some(name) = self.root.child_name(path) {
                        children.insert(name.to_owned(), znode(name, data, stat));
                    }
                }
                TreeChange::SessionBegan { session, client } => {
                    self.recorder.session_began(*session, client.is_none());
                    sessions.push(session.0);
                }
                _ => {}
            }
        }
        self.recorder.deleted();
        self.recorder.record(What::Restored { zxid: commit.zxid, children, sessions });
    }
}

fn znode(name: &str, data: &[u8], stat: &Stat) -> Znode {
    let session = stat.ephemeral_owner.map(|SessionId(session)| session);
    Znode { czxid: stat.czxid.0, session, data: read(name, data) }
}

/// What a record says.
fn read(name: &str, data: &[u8]) -> Data {
    // The name tells the endpoint, and nothing else: the data of what is no instance are read like those of one.
    let decoded = Plain.decode(name, data).or_else(|_| Plain.decode("127.0.0.1:1", data));
    let Some(decoded) = decoded.ok().filter(|decoded| decoded.remarks.is_empty()) else {
        return Data::default();
    };
    let incarnation = decoded.instance.owner().map(|owner| owner.incarnation().to_string());
    let (weight, draining) = (Some(decoded.instance.weight()), decoded.instance.is_draining());
    Data { weight, draining, incarnation }
}
