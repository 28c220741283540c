//! What was really registered at each moment: the transactions that ZooKeeper has committed, as records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oracle::{By, Data, Record, What, Znode};

use crate::settings::ROOT;
use crate::txn_log::{Change, Txn};

/// Whose sessions there were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    /// Those of processes of the fleet.
    pub(crate) processes: BTreeMap<i64, String>,
    /// Those of others: of an operator, a rival, an observer.
    pub(crate) others: BTreeMap<i64, &'static str>,
    /// Those that a fault has ended, although by the hand of a client.
    pub(crate) stolen: BTreeSet<i64>,
}

/// A list of the children, as an observer with a session of its own has got it.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    /// The last transaction that has changed it.
    pub(crate) zxid: i64,
    pub(crate) names: BTreeSet<String>,
}

/// The state of the tree while the transactions go by.
#[derive(Debug, Default)]
struct Tree {
    children: BTreeMap<String, Znode>,
    /// The lists by the transaction that made them; without the root there is none.
    lists: BTreeMap<i64, BTreeSet<String>>,
}

/// Makes records of transactions.
pub(crate) fn records(txns: &BTreeMap<i64, Txn>, sessions: &Sessions, began: Duration) -> Vec<Record> {
    let mut tree = Tree::default();
    let mut at = Duration::ZERO;
    let mut records = Vec::new();
    for txn in txns.values() {
        // In the order of the transactions, whatever the clock says.
        at = at.max(txn.wall.saturating_sub(began));
        let by = sessions.author(txn.session);
        for change in &txn.changes {
            let what = tree.apply(txn, change, &by, sessions);
            records.extend(what.into_iter().map(|what| Record { at, what }));
        }
    }
    records
}

/// Compares what an observer has seen with the transactions.
///
/// # Errors
/// The first difference: then the transactions are not the whole truth.
pub(crate) fn check(txns: &BTreeMap<i64, Txn>, seen: &[Sighting]) -> Result<(), String> {
    let (mut tree, sessions) = (Tree::default(), Sessions::default());
    for txn in txns.values() {
        for change in &txn.changes {
            tree.apply(txn, change, &By::Unknown, &sessions);
        }
    }
    for sighting in seen {
        let Some(list) = tree.lists.get(&sighting.zxid) else {
            return Err(format!("an observer has seen transaction {:#x}, which no log has", sighting.zxid));
        };
        if *list != sighting.names {
            let Sighting { zxid, names } = sighting;
            return Err(format!(
                "at {zxid:#x} an observer has seen {names:?}, and by the logs it was {list:?}"
            ));
        }
    }
    Ok(())
}

impl Sessions {
    fn author(&self, session: i64) -> By {
        match (self.processes.get(&session), self.others.get(&session)) {
            (Some(process), _) => By::Process(process.clone()),
            (None, Some(other)) => By::Other((*other).to_owned()),
            (None, None) => By::Unknown,
        }
    }

    fn name(&self, session: i64) -> String {
        let other = self.others.get(&session).copied().unwrap_or("somebody");
        self.processes.get(&session).cloned().unwrap_or_else(|| other.to_owned())
    }
}

impl Tree {
    fn apply(&mut self, txn: &Txn, change: &Change, by: &By, sessions: &Sessions) -> Vec<What> {
        let (zxid, by) = (txn.zxid, by.clone());
        match change {
            Change::Created { path, data, ephemeral } => {
                if path == ROOT {
                    self.listed(zxid);
                    return vec![What::Root { zxid, exists: true, by }];
                }
                let Some(name) = child(path) else { return vec![] };
                let session = ephemeral.then_some(txn.session);
                let znode = Znode { czxid: zxid, session, data: data_of(data) };
                self.children.insert(name.clone(), znode.clone());
                self.listed(zxid);
                vec![What::Created { zxid, name, znode, by }]
            }
            Change::Written { path, data } => {
                let Some(name) = child(path) else { return vec![] };
                let data = data_of(data);
                if let Some(znode) = self.children.get_mut(&name) {
                    znode.data = data.clone();
                }
                vec![What::Written { zxid, name, data, by }]
            }
            Change::Deleted { path } if path == ROOT => {
                self.children.clear();
                vec![What::Root { zxid, exists: false, by }]
            }
            Change::Deleted { path } => {
                let Some(name) = child(path) else { return vec![] };
                self.children.remove(&name);
                self.listed(zxid);
                vec![What::Deleted { zxid, name, by }]
            }
            Change::SessionBegan => {
                vec![What::SessionBegan { session: txn.session, process: sessions.name(txn.session) }]
            }
            Change::SessionEnded { expired } => {
                let session = txn.session;
                let owned = self.children.iter().filter(|(_, znode)| znode.session == Some(session));
                let owned: Vec<_> = owned.map(|(name, _)| name.clone()).collect();
                let expired = *expired || sessions.stolen.contains(&session);
                let mut whats = vec![What::SessionEnded { session, expired }];
                for name in owned {
                    self.children.remove(&name);
                    whats.push(What::Deleted { zxid, name, by: By::SessionEnd });
                }
                self.listed(zxid);
                whats
            }
        }
    }

    fn listed(&mut self, zxid: i64) {
        self.lists.insert(zxid, self.children.keys().cloned().collect());
    }
}

/// The name of a child of the root.
fn child(path: &str) -> Option<String> {
    let name = path.strip_prefix(ROOT)?.strip_prefix('/')?;
    (!name.contains('/')).then(|| name.to_owned())
}

/// Reads the record of an instance, without the code that writes it.
pub(crate) fn data_of(bytes: &[u8]) -> Data {
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let tag = |name: &str| json["Tags"][name].as_str().map(ToOwned::to_owned);
    Data {
        weight: json["Weight"].as_u64().and_then(|weight| weight.try_into().ok()),
        draining: tag("owner.draining").as_deref() == Some("true"),
        incarnation: tag("owner.incarnation"),
    }
}

/// The process id in the record of an instance.
pub(crate) fn pid_of(bytes: &[u8]) -> Option<i32> {
    let json: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    json["Tags"]["owner.pid"].as_str()?.parse().ok()
}
