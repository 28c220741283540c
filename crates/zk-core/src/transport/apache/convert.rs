//! Our types from those of the client crate, and the other way round.

use zookeeper_client as zk;

use super::errors;
use crate::session::SessionId;
use crate::transport::event::EventKind;
use crate::transport::seam::Reading;
use crate::transport::stat::{Stat, Zxid};
use crate::transport::znode::{Acl, CreateMode};

/// The result of reading one znode of several; an error if it concerns the whole connection.
pub(super) fn reading(result: Result<(Vec<u8>, zk::Stat), zk::Error>) -> Result<Reading, zk::Error> {
    match result {
        Ok((data, stat)) => Ok(Ok((data, stat_of(&stat)))),
        Err(error @ (zk::Error::NoNode | zk::Error::NoAuth)) => Ok(Err(errors::kind(error))),
        Err(error) => Err(error),
    }
}

pub(super) fn event_kind(event: zk::EventType) -> Option<EventKind> {
    match event {
        zk::EventType::NodeCreated => Some(EventKind::Created),
        zk::EventType::NodeDeleted => Some(EventKind::Deleted),
        zk::EventType::NodeDataChanged => Some(EventKind::DataChanged),
        zk::EventType::NodeChildrenChanged => Some(EventKind::ChildrenChanged),
        zk::EventType::Session => None,
    }
}

const CREATOR: &[zk::Acl] = &[
    zk::Acl::new_const(zk::Permission::ALL, "auth", ""),
    zk::Acl::new_const(zk::Permission::READ, "world", "anyone"),
];

pub(super) fn create_options(mode: CreateMode, acl: Acl) -> zk::CreateOptions<'static> {
    let mode = match mode {
        CreateMode::Persistent => zk::CreateMode::Persistent,
        CreateMode::Ephemeral => zk::CreateMode::Ephemeral,
    };
    mode.with_acls(match acl {
        Acl::Open => zk::Acls::anyone_all(),
        Acl::Creator => zk::Acls::new(CREATOR),
    })
}

pub(super) fn stat_of(stat: &zk::Stat) -> Stat {
    Stat {
        czxid: Zxid(stat.czxid),
        mzxid: Zxid(stat.mzxid),
        pzxid: Zxid(stat.pzxid),
        version: stat.version,
        cversion: stat.cversion,
        ephemeral_owner: (stat.ephemeral_owner != 0).then_some(SessionId(stat.ephemeral_owner)),
        data_length: stat.data_length,
        num_children: stat.num_children,
    }
}
