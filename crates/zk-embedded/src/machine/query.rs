//! Requests that read, and may leave a watch.

use super::watch_table::WatchMode;
use super::znode::Znode;
use super::{ConnectionId, Machine, access, digest};
use zk_wire::{Acl, ErrorCode, MultiResult, Request, Response};

/// The most that the results of one multiRead may have, in bytes: a request of 1 MiB could ask for one large znode tens of
/// thousands of times.
const MAX_RESULTS: usize = 64 << 20;

impl Machine {
    /// `exists`: needs no permission, and leaves a watch even where there is no znode.
    pub(super) fn exists(
        &mut self,
        id: ConnectionId,
        path: &str,
        watch: bool,
    ) -> Result<Response, ErrorCode> {
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        if watch {
            self.watches.data.add(path, id, WatchMode::Once);
        }
        let znode = self.tree.get(path).ok_or(ErrorCode::NoNode)?;
        Ok(Response::Stat(znode.stat()))
    }

    /// `getData`.
    pub(super) fn get_data(
        &mut self,
        id: ConnectionId,
        path: &str,
        watch: bool,
    ) -> Result<Response, ErrorCode> {
        let znode = self.readable(id, path, access::READ)?;
        let response = Response::Data(znode.data.as_ref().map(|data| data.to_vec()), znode.stat());
        if watch {
            self.watches.data.add(path, id, WatchMode::Once);
        }
        Ok(response)
    }

    /// `getChildren2`.
    pub(super) fn get_children(
        &mut self,
        id: ConnectionId,
        path: &str,
        watch: bool,
    ) -> Result<Response, ErrorCode> {
        let znode = self.readable(id, path, access::READ)?;
        let response = Response::Children(names(znode), znode.stat());
        if watch {
            self.watches.children.add(path, id, WatchMode::Once);
        }
        Ok(response)
    }

    /// `getACL`: a session that may not change the ACL sees no hashes.
    pub(super) fn get_acl(&self, id: ConnectionId, path: &str) -> Result<Response, ErrorCode> {
        let znode = self.readable(id, path, access::READ | access::ADMIN)?;
        let may_change = self.readable(id, path, access::ADMIN).is_ok();
        let shown = |entry: &Acl| match entry.scheme.as_str() {
            "digest" if !may_change => Acl { id: digest::masked(&entry.id), ..entry.clone() },
            _ => entry.clone(),
        };
        Ok(Response::Acl(znode.acl.iter().map(shown).collect(), znode.stat()))
    }

    /// `getAllChildrenNumber`.
    pub(super) fn count_below(&self, id: ConnectionId, path: &str) -> Result<Response, ErrorCode> {
        self.readable(id, path, access::READ)?;
        Ok(Response::Number(i32::try_from(self.tree.count_below(path)).unwrap_or(i32::MAX)))
    }

    /// `getEphemerals`: those of the session that asks; a blank prefix is that of all.
    pub(super) fn get_ephemerals(&self, id: ConnectionId, prefix: &str) -> Response {
        let prefix = match prefix.trim_matches(|c| c <= ' ') {
            "" | "/" => "",
            _ => prefix,
        };
        let all = self.session_of(id).into_iter().flat_map(|session| self.tree.ephemerals(session));
        let mut paths: Vec<String> = all.filter(|path| path.starts_with(prefix)).cloned().collect();
        paths.sort();
        Response::Strings(paths)
    }

    /// `whoAmI`.
    pub(super) fn who_am_i(&self, id: ConnectionId) -> Response {
        let identities = self.connections.get(&id).into_iter().flat_map(|connection| &connection.identities);
        Response::Users(identities.map(|who| (who.scheme.clone(), who.user().to_owned())).collect())
    }

    /// `multiRead`: each operation for itself, and without watches.
    ///
    /// With another operation in it there is only the error; Apache ZooKeeper sends an empty list besides. So it is with
    /// results above [`MAX_RESULTS`].
    pub(super) fn multi_read(
        &mut self,
        id: ConnectionId,
        operations: Vec<Request>,
    ) -> Result<Response, ErrorCode> {
        let mut results = Vec::with_capacity(operations.len());
        let mut size = 0;
        for operation in operations {
            let read = match operation {
                Request::GetData { path, .. } => self.get_data(id, &path, false),
                Request::GetChildren { path, .. } => self.get_children(id, &path, false),
                _ => return Ok(Response::FailedMultiRead(ErrorCode::MarshallingError)),
            };
            size += match &read {
                Ok(Response::Data(Some(data), _)) => data.len(),
                Ok(Response::Children(names, _)) => {
                    names.iter().map(|name| name.len() + size_of::<String>()).sum()
                }
                _ => 0,
            };
            if size > MAX_RESULTS {
                return Err(ErrorCode::MarshallingError);
            }
            results.push(match read {
                Ok(Response::Data(data, stat)) => MultiResult::Data(data, stat),
                Ok(Response::Children(names, _)) => MultiResult::Children(names),
                Ok(_) => return Err(ErrorCode::MarshallingError),
                Err(code) => MultiResult::Error(code),
            });
        }
        Ok(Response::MultiRead(results))
    }

    fn readable(&self, id: ConnectionId, path: &str, permissions: i32) -> Result<&Znode, ErrorCode> {
        let znode = self.tree.get(path).ok_or(ErrorCode::NoNode)?;
        let identities = self.connections.get(&id).map_or(&[][..], |connection| &connection.identities);
        access::check(&znode.acl, permissions, identities)?;
        Ok(znode)
    }
}

fn names(znode: &Znode) -> Vec<String> {
    znode.children.iter().map(|name| name.to_string()).collect()
}
