use std::collections::BTreeMap;
use std::sync::Arc;

use super::owner::Owner;
use super::path;
use super::tree::Tree;
use super::znode::Znode;
use zk_wire::{Acl, ErrorCode};

/// The tree as it will be after the operations that were prepared so far.
///
/// An operation of a multi sees what earlier ones will have done; when one fails, this view is dropped, and nothing was
/// done.
pub(super) struct Scratch<'tree> {
    tree: &'tree Tree,
    /// Paths that will have changed; `None` for a znode that will be gone.
    changed: BTreeMap<String, Option<Record>>,
}

/// The facts about a znode that later operations need.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) version: i32,
    pub(super) aversion: i32,
    pub(super) creates: i32,
    pub(super) children: usize,
    pub(super) owner: Owner,
    pub(super) acl: Arc<[Acl]>,
}

impl<'tree> Scratch<'tree> {
    /// Begins with the tree as it is.
    pub(super) fn new(tree: &'tree Tree) -> Self {
        Self { tree, changed: BTreeMap::new() }
    }

    /// Looks up a znode.
    pub(super) fn get(&self, path: &str) -> Result<Record, ErrorCode> {
        let record = match self.changed.get(path::key(path)) {
            Some(record) => record.clone(),
            None => self.tree.get(path).map(Record::of),
        };
        record.ok_or(ErrorCode::NoNode)
    }

    /// Remembers what a znode will be.
    pub(super) fn put(&mut self, path: &str, record: Record) {
        self.changed.insert(path::key(path).to_owned(), Some(record));
    }

    /// Remembers that a znode will be gone.
    pub(super) fn remove(&mut self, path: &str) {
        self.changed.insert(path.to_owned(), None);
    }
}

impl Record {
    fn of(znode: &Znode) -> Self {
        Self {
            version: znode.version,
            aversion: znode.aversion,
            creates: znode.creates,
            children: znode.children.len(),
            owner: znode.owner,
            acl: znode.acl.clone(),
        }
    }

    /// A znode that was just created.
    pub(super) fn new(acl: &[Acl], owner: Owner) -> Self {
        Self { version: 0, aversion: 0, creates: 0, children: 0, owner, acl: acl.into() }
    }
}
