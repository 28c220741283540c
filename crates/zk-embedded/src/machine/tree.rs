use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::access;
use super::owner::Owner;
use super::path;
use super::znode::Znode;
use crate::Version;
use zk_wire::{Acl, Stat};

/// All znodes, by path; the root has the empty one, and `/` for an alias.
///
/// Callers have checked before: parents exist, names are free, versions fit.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    znodes: BTreeMap<String, Znode>,
    /// Sessions with their znodes, in the order in which these were created.
    ephemerals: BTreeMap<i64, BTreeMap<u64, String>>,
    /// Containers and znodes with a time to live.
    sweepable: BTreeSet<String>,
    /// Counts creations, for the order of those in one transaction.
    created: u64,
    /// Bytes of paths and data.
    size: usize,
    open: Arc<[Acl]>,
}

/// A znode that is about to be.
#[derive(Clone, Debug)]
pub(super) struct NewZnode {
    pub(super) path: String,
    pub(super) data: Option<Vec<u8>>,
    pub(super) acl: Vec<Acl>,
    pub(super) owner: Owner,
}

impl Tree {
    /// Makes the tree of a new server.
    pub(super) fn new(version: Version) -> Self {
        let open: Arc<[Acl]> = [access::open()].into();
        let mut tree = Self {
            znodes: BTreeMap::new(),
            ephemerals: BTreeMap::new(),
            sweepable: BTreeSet::new(),
            created: 0,
            // The root is counted twice, under both of its names.
            size: "/".len(),
            open: open.clone(),
        };
        tree.znodes.insert(String::new(), Znode::original(open.clone()));
        for &path in &path::special(version)[1..] {
            tree.znodes.insert(path.to_owned(), Znode::original(open.clone()));
            tree.size += path.len();
            let (parent, name) = path::split(path);
            tree.existing(parent).children.insert(name.into());
        }
        if let Some(config) = tree.znodes.get_mut(path::CONFIG) {
            config.acl = [Acl { permissions: access::READ, ..access::open() }].into();
            // Apache ZooKeeper changes this ACL on its way up, to version -1.
            config.aversion = -1;
        }
        tree
    }

    /// Looks up a znode.
    pub(super) fn get(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path::key(path))
    }

    /// Adds a znode, as the child of a parent that has then had as many; returns its stat.
    pub(super) fn create(&mut self, new: NewZnode, parent_creates: i32, zxid: i64, now: i64) -> Stat {
        let NewZnode { path, data, acl, owner } = new;
        let acl = self.shared(acl);
        self.created += 1;
        let data = data.map(Vec::into_boxed_slice);
        let znode = Znode { sequence: self.created, ..Znode::new(data, acl, owner, zxid, now) };
        let stat = znode.stat();
        self.size += utf16_length(&path) + znode.data_length();
        let (parent, name) = path::split(&path);
        let parent = self.existing(parent);
        parent.children.insert(name.into());
        // Numbers grow, until they overflow: from then on, Apache ZooKeeper leaves both alone.
        if parent_creates > parent.creates {
            parent.creates = parent_creates;
            parent.pzxid = zxid;
        }
        match owner {
            Owner::Persistent => {}
            Owner::Session(session) => {
                self.ephemerals.entry(session).or_default().insert(self.created, path.clone());
            }
            Owner::Container | Owner::Ttl(_) => {
                self.sweepable.insert(path.clone());
            }
        }
        self.znodes.insert(path, znode);
        stat
    }

    /// Removes a znode without children, and returns it.
    pub(super) fn delete(&mut self, path: &str, zxid: i64) -> Znode {
        let znode = self.znodes.remove(path).expect("the znode was found before");
        self.size -= utf16_length(path) + znode.data_length();
        let (parent, name) = path::split(path);
        let parent = self.existing(parent);
        parent.children.remove(name);
        parent.pzxid = parent.pzxid.max(zxid);
        match znode.owner {
            Owner::Persistent => {}
            Owner::Session(session) => {
                if let Some(paths) = self.ephemerals.get_mut(&session) {
                    paths.remove(&znode.sequence);
                    if paths.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
            }
            Owner::Container | Owner::Ttl(_) => {
                self.sweepable.remove(path);
            }
        }
        znode
    }

    /// Replaces data.
    pub(super) fn set_data(
        &mut self,
        path: &str,
        data: Option<Vec<u8>>,
        version: i32,
        zxid: i64,
        now: i64,
    ) -> Stat {
        let znode = self.existing(path);
        let before = znode.data_length();
        znode.data = data.map(Vec::into_boxed_slice);
        (znode.version, znode.mzxid, znode.mtime) = (version, zxid, now);
        let (after, stat) = (znode.data_length(), znode.stat());
        self.size = self.size - before + after;
        stat
    }

    /// Replaces an ACL; neither a zxid nor a time in the stat changes.
    pub(super) fn set_acl(&mut self, path: &str, acl: Vec<Acl>, aversion: i32) -> Stat {
        let acl = self.shared(acl);
        let znode = self.existing(path);
        (znode.acl, znode.aversion) = (acl, aversion);
        znode.stat()
    }

    /// Returns the znodes of a session, in the order of their creation.
    pub(super) fn ephemerals(&self, session: i64) -> impl Iterator<Item = &String> {
        self.ephemerals.get(&session).into_iter().flat_map(BTreeMap::values)
    }

    /// Counts the znodes below one, itself not included.
    pub(super) fn count_below(&self, path: &str) -> usize {
        match path {
            "/" => self.znodes.len() - 1,
            // To the root's other name, its first one is below it, too.
            "" => self.znodes.len(),
            _ => {
                let prefix = format!("{path}/");
                let below = self.znodes.range(prefix.clone()..);
                below.take_while(|(path, _)| path.starts_with(&prefix)).count()
            }
        }
    }

    /// Returns all znodes, by path.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Znode)> {
        self.znodes.iter()
    }

    /// Returns whether there is any container or znode with a time to live.
    pub(super) fn has_sweepable(&self) -> bool {
        !self.sweepable.is_empty()
    }

    /// Returns the containers and the znodes with a time to live.
    pub(super) fn sweepable(&self) -> impl Iterator<Item = (&String, &Znode)> {
        self.sweepable.iter().filter_map(|path| self.znodes.get_key_value(path))
    }

    /// Counts the znodes.
    pub(super) fn len(&self) -> usize {
        self.znodes.len()
    }

    /// Counts the ephemeral znodes.
    pub(super) fn ephemeral_count(&self) -> usize {
        self.ephemerals.values().map(BTreeMap::len).sum()
    }

    /// Returns the bytes of all paths and data.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Makes the ACL that nearly all znodes have take memory once.
    fn shared(&self, acl: Vec<Acl>) -> Arc<[Acl]> {
        if *acl == *self.open { self.open.clone() } else { acl.into() }
    }

    fn existing(&mut self, path: &str) -> &mut Znode {
        self.znodes.get_mut(path::key(path)).expect("the znode was found before")
    }
}

/// The length that Apache ZooKeeper counts.
fn utf16_length(path: &str) -> usize {
    path.chars().map(char::len_utf16).sum()
}
