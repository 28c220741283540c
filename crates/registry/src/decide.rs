//! The rules of ownership: decides, without I/O, what to do about a znode that exists.

use instance::Owner;
use zk_core::{SessionId, Stat, Zxid};

use crate::status::Holder;

/// A znode under our name.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) stat: Stat,
    /// The owner that its data names; ourselves if the data is known to be what we wrote.
    pub(crate) owner: Option<Owner>,
    /// Whether its data is our record.
    pub(crate) data_is_ours: bool,
}

/// What we claim: what makes a znode ours, and whether there can be one.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The owner that we write into our znodes.
    pub(crate) owner: Owner,
    /// The caller owns the listening socket, so no other process serves this address here. It does for as long as it
    /// wants the instance registered.
    pub(crate) vouched: bool,
    /// The znode that we are known to have created.
    pub(crate) created: Option<Zxid>,
    /// A znode of another owner that has our data: it took the place of ours right before we wrote.
    pub(crate) overwrote: Option<Zxid>,
    /// The name was ours before: another owner that has it now took it after us.
    pub(crate) registered_before: bool,
    /// The epoch in which a create was sent last: a znode of ours may exist.
    pub(crate) create_sent_in: Option<u64>,
    /// The epoch in which the znode was last known to exist.
    pub(crate) seen_in: Option<u64>,
}

impl Claim {
    pub(crate) fn new(owner: Owner, vouched: bool) -> Self {
        Self {
            owner,
            vouched,
            created: None,
            overwrote: None,
            registered_before: false,
            create_sent_in: None,
            seen_in: None,
        }
    }

    /// Whether there can be a znode of ours.
    pub(crate) fn may_exist(&self) -> bool {
        self.create_sent_in.is_some()
    }
}

/// What to do about a znode under our name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// The znode is ours, with our record.
    Keep,
    /// The znode is ours, with other data.
    Rewrite,
    /// The znode is a stale one of ours, and would end with its old session.
    TakeOver,
    /// The znode belongs to another owner.
    Leave(Holder),
}

/// Decides about a znode, on a connection of `ours`, the session.
pub(crate) fn decide(found: &Found, ours: SessionId, us: &Claim) -> Decision {
    let Some(session) = found.stat.ephemeral_owner else {
        // We create no persistent znodes, whatever owner the data names.
        return Decision::Leave(Holder { session: None, owner: found.owner.clone() });
    };
    let same_incarnation = found.owner.as_ref().map(|owner| owner.incarnation() == us.owner.incarnation());
    if session == ours {
        // Overwritten by hand with another instance's record, the znode is still ours.
        let created_by_us = us.created == Some(found.stat.czxid);
        return match same_incarnation.filter(|_| !created_by_us) {
            // Another registrar that shares our session.
            Some(false) => Decision::Leave(Holder { session: Some(session), owner: found.owner.clone() }),
            _ if found.data_is_ours => Decision::Keep,
            _ => Decision::Rewrite,
        };
    }
    let stale = match (&found.owner, same_incarnation) {
        (_, Some(true)) => us.overwrote != Some(found.stat.czxid),
        (Some(owner), _) => us.vouched && !us.registered_before && us.owner.same_place(owner),
        (None, _) => false,
    };
    if stale {
        Decision::TakeOver
    } else {
        Decision::Leave(Holder { session: Some(session), owner: found.owner.clone() })
    }
}

#[cfg(test)]
mod tests;
