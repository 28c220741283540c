//! What each call of the seam sends.

use zk_core::ZnodePath;
use zk_core::transport::{Acl, CreateMode};
use zk_wire::{CreateKind, Request};

use crate::call::Call;
use crate::verb::Verb;
use crate::wire;

/// How to ask the servers of a version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    /// The server knows the requests of ZooKeeper 3.6.
    pub(crate) is_modern: bool,
}

impl Asking {
    pub(crate) fn create(self, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Call {
        let kind = if self.is_modern { CreateKind::Create2 } else { CreateKind::Create };
        let mut requests = vec![create(kind, path, data, mode, acl)];
        if !self.is_modern {
            // Old servers do not return the stat.
            requests.push(exists(path, false));
        }
        Call::new(Verb::Create, path, requests).data(data)
    }

    pub(crate) fn delete(self, path: &ZnodePath, version: Option<i32>) -> Call {
        Call::new(Verb::Delete, path, vec![delete(path, version)]).version(version)
    }

    pub(crate) fn take_over(self, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Call {
        let create = create(CreateKind::Create, path, data, CreateMode::Ephemeral, acl);
        let operations = vec![delete(path, Some(version)), create];
        let requests = if self.is_modern { vec![Request::Multi { operations }] } else { operations };
        Call::new(Verb::TakeOver, path, requests).data(data).version(Some(version))
    }

    pub(crate) fn write_and_delete(self, path: &ZnodePath, version: i32, data: &[u8]) -> Call {
        let operations =
            vec![set_data(path, data, Some(version)), delete(path, Some(version.wrapping_add(1)))];
        let requests = vec![Request::Multi { operations }];
        Call::new(Verb::WriteAndDelete, path, requests).data(data).version(Some(version))
    }

    pub(crate) fn exists(self, verb: Verb, path: &ZnodePath, watch: bool) -> Call {
        Call::new(verb, path, vec![exists(path, watch)])
    }

    pub(crate) fn data(self, verb: Verb, path: &ZnodePath, watch: bool) -> Call {
        Call::new(verb, path, vec![Request::GetData { path: path.to_string(), watch }])
    }

    pub(crate) fn children(self, verb: Verb, path: &ZnodePath, watch: bool) -> Call {
        Call::new(verb, path, vec![Request::GetChildren2 { path: path.to_string(), watch }])
    }

    pub(crate) fn set_data(self, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Call {
        Call::new(Verb::SetData, path, vec![set_data(path, data, version)]).data(data).version(version)
    }

    /// `None` if there is nothing to read.
    pub(crate) fn read_many(self, paths: &[ZnodePath]) -> Option<Call> {
        let read = |path: &ZnodePath| Request::GetData { path: path.to_string(), watch: false };
        let operations: Vec<_> = paths.iter().map(read).collect();
        let requests = if self.is_modern { vec![Request::MultiRead { operations }] } else { operations };
        let mut call = Call::new(Verb::ReadMany, paths.first()?, requests);
        call.znodes = paths.len();
        Some(call)
    }
}

fn create(kind: CreateKind, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Request {
    let flags = match mode {
        CreateMode::Persistent => 0,
        CreateMode::Ephemeral => 1,
    };
    let (path, data, acl) = (path.to_string(), Some(data.to_vec()), Some(wire::acl(acl)));
    Request::Create { kind, path, data, acl, flags, ttl: -1 }
}

fn delete(path: &ZnodePath, version: Option<i32>) -> Request {
    Request::Delete { path: path.to_string(), version: version.unwrap_or(-1) }
}

fn set_data(path: &ZnodePath, data: &[u8], version: Option<i32>) -> Request {
    Request::SetData { path: path.to_string(), data: Some(data.to_vec()), version: version.unwrap_or(-1) }
}

fn exists(path: &ZnodePath, watch: bool) -> Request {
    Request::Exists { path: path.to_string(), watch }
}
