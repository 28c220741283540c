use std::collections::BTreeSet;
use std::sync::Arc;

use super::owner::Owner;
use zk_wire::{Acl, Stat};

/// The children's names, the data, the access list and the facts of one znode.
#[derive(Clone, Debug)]
pub(super) struct Znode {
    pub(super) data: Option<Box<[u8]>>,
    pub(super) acl: Arc<[Acl]>,
    pub(super) owner: Owner,
    pub(super) children: BTreeSet<Box<str>>,
    pub(super) czxid: i64,
    pub(super) mzxid: i64,
    pub(super) pzxid: i64,
    pub(super) ctime: i64,
    pub(super) mtime: i64,
    pub(super) version: i32,
    pub(super) aversion: i32,
    /// How many children were ever created; the next sequential one bears it.
    pub(super) creates: i32,
    /// Which of all znodes it is, in the order of their creation.
    pub(super) sequence: u64,
}

impl Znode {
    /// Makes a znode that was there from the beginning, in no transaction.
    pub(super) fn original(acl: Arc<[Acl]>) -> Self {
        Self::new(Some(Box::default()), acl, Owner::Persistent, 0, 0)
    }

    /// Makes a znode without children.
    pub(super) fn new(data: Option<Box<[u8]>>, acl: Arc<[Acl]>, owner: Owner, zxid: i64, now: i64) -> Self {
        Self {
            data,
            acl,
            owner,
            children: BTreeSet::new(),
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: now,
            mtime: now,
            version: 0,
            aversion: 0,
            creates: 0,
            sequence: 0,
        }
    }

    /// Returns the length of the data in bytes.
    pub(super) fn data_length(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.len())
    }

    /// Returns the facts as clients see them.
    pub(super) fn stat(&self) -> Stat {
        let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
        let num_children = count(self.children.len());
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            // Creates and deletes: each create had a delete, but for the children that are there.
            cversion: self.creates.wrapping_mul(2).wrapping_sub(num_children),
            aversion: self.aversion,
            ephemeral_owner: self.owner.shown(),
            data_length: count(self.data_length()),
            num_children,
            pzxid: self.pzxid,
        }
    }
}
