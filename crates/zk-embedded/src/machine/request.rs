//! Dispatches the requests of a connection, and fills in the headers of the replies.

use super::auth::Identity;
use super::commit::Done;
use super::replay::Watched;
use super::watch_table::WatchMode;
use super::watches::Which;
use super::{ConnectionId, Machine, Output};
use zk_wire::{ErrorCode, Framed, OpCode, Request, Response, xid};

/// Whether the server assigns a zxid before it reads the request.
fn takes_zxid(op_code: OpCode) -> bool {
    use OpCode::{Check, Delete, Multi, SetAcl, SetData};
    op_code.is_create() || matches!(op_code, Delete | SetData | SetAcl | Check | Multi)
}

/// The outcome of a request.
enum Outcome {
    /// A reply with the newest zxid.
    Reply(Result<Response, ErrorCode>),
    /// No reply at all.
    Silence,
}

impl Machine {
    /// Carries out a request of a connection.
    ///
    /// Events of a write come before its reply, to this connection as to others. Without a session, as before
    /// [`connect`](Self::connect) and after the end, the connection is closed.
    pub fn request(&mut self, now: i64, connection: ConnectionId, framed: Framed) -> Vec<Output> {
        let mut outputs = Vec::new();
        let Framed { xid, request } = framed;
        let request = self.settings.version.read(request);
        let Some(known) = self.connections.get(&connection) else {
            return vec![Output::Close { connection }];
        };
        let (session, timeout_ms) = (known.session, known.timeout_ms);
        let reply = |zxid, result| Output::Reply { connection, xid, zxid, result };
        match request {
            // These do not keep the session alive.
            Request::Auth { scheme, data, .. } => {
                let result = self.authenticate(connection, &scheme, data.as_deref());
                let failed = result.is_err();
                outputs.push(reply(0, result));
                if failed {
                    self.close(connection, &mut outputs);
                }
                return outputs;
            }
            // Without a configuration for it, Apache ZooKeeper replies with a null token: a length of -1.
            Request::Unknown { op_code: OpCode::Sasl } => return vec![reply(0, Ok(Response::Number(-1)))],
            Request::Malformed { op_code: OpCode::Auth | OpCode::Sasl } => {
                self.close(connection, &mut outputs);
                return outputs;
            }
            _ => {}
        }
        self.sessions.touch(session, timeout_ms, now);
        let outcome = match request {
            Request::Ping => {
                let result = Ok(Response::Empty);
                return vec![Output::Reply { connection, xid: xid::PING, zxid: self.zxid, result }];
            }
            Request::CloseSession => {
                self.close_session(session, false, &mut outputs);
                outputs.push(reply(self.zxid, Ok(Response::Empty)));
                self.close(connection, &mut outputs);
                return outputs;
            }
            Request::Unknown { op_code }
                if !matches!(op_code, OpCode::Reconfig | OpCode::DeleteContainer)
                    || !self.settings.version.knows(op_code) =>
            {
                outputs.push(reply(-1, Err(ErrorCode::Unimplemented)));
                self.close(connection, &mut outputs);
                return outputs;
            }
            request => self.carry_out(now, connection, request, &mut outputs),
        };
        if let Outcome::Reply(result) = outcome {
            outputs.push(reply(self.zxid, result));
        }
        outputs
    }

    fn carry_out(
        &mut self,
        now: i64,
        id: ConnectionId,
        request: Request,
        outputs: &mut Vec<Output>,
    ) -> Outcome {
        Outcome::Reply(match request {
            Request::Exists { path, watch } => self.exists(id, &path, watch),
            Request::GetData { path, watch } => self.get_data(id, &path, watch),
            Request::GetAcl { path } => self.get_acl(id, &path),
            Request::GetChildren2 { path, watch } => self.get_children(id, &path, watch),
            Request::GetChildren { path, watch } => {
                self.get_children(id, &path, watch).map(|response| match response {
                    Response::Children(names, _) => Response::Strings(names),
                    other => other,
                })
            }
            Request::GetAllChildrenNumber { path } => self.count_below(id, &path),
            Request::GetEphemerals { prefix } => Ok(self.get_ephemerals(id, &prefix)),
            Request::WhoAmI => Ok(self.who_am_i(id)),
            Request::MultiRead { operations } => self.multi_read(id, operations),
            Request::Sync { path } => Ok(Response::Synced(path)),
            Request::AddWatch { path, mode } => self.add_watch(id, &path, mode),
            Request::CheckWatches { path, kind } => self.check_watches(&path, kind),
            Request::RemoveWatches { path, kind } => self.remove_watches(id, &path, kind),
            Request::SetWatches { relative_zxid: zxid, data, exist, child } => {
                let watched = Watched { zxid, data, exist, child, ..Watched::default() };
                self.replay(id, watched, outputs);
                Ok(Response::Empty)
            }
            Request::SetWatches2 { relative_zxid, data, exist, child, persistent, persistent_recursive } => {
                let zxid = relative_zxid;
                let watched = Watched { zxid, data, exist, child, persistent, persistent_recursive };
                self.replay(id, watched, outputs);
                Ok(Response::Empty)
            }
            Request::Multi { operations } => self.multi(now, id, operations, outputs),
            Request::Create { .. }
            | Request::Delete { .. }
            | Request::SetData { .. }
            | Request::SetAcl { .. }
            | Request::Check { .. } => match self.write(now, id, request, outputs) {
                // Apache ZooKeeper has no stat for its reply, fails on that, and never sends one.
                Ok(Done::Checked) => return Outcome::Silence,
                Ok(done) => Ok(response(done)),
                Err(code) => Err(code),
            },
            Request::Unknown { op_code: OpCode::Reconfig } => {
                self.next_zxid();
                Err(ErrorCode::ReconfigDisabled)
            }
            Request::Unknown { op_code: OpCode::DeleteContainer } => {
                // Apache ZooKeeper takes the whole frame for the path; it has zeros in it.
                self.next_zxid();
                Err(ErrorCode::BadArguments)
            }
            Request::Malformed { op_code } => {
                if takes_zxid(op_code) {
                    self.next_zxid();
                }
                Err(ErrorCode::MarshallingError)
            }
            Request::Auth { .. } | Request::Ping | Request::CloseSession | Request::Unknown { .. } => {
                unreachable!("these have returned before")
            }
        })
    }

    fn authenticate(
        &mut self,
        id: ConnectionId,
        scheme: &str,
        data: Option<&[u8]>,
    ) -> Result<Response, ErrorCode> {
        let connection = self.connections.get_mut(&id).ok_or(ErrorCode::AuthFailed)?;
        let identity = Identity::prove(scheme, data, &connection.address).ok_or(ErrorCode::AuthFailed)?;
        if !connection.identities.contains(&identity) {
            connection.identities.push(identity);
        }
        Ok(Response::Empty)
    }

    fn add_watch(&mut self, id: ConnectionId, path: &str, mode: i32) -> Result<Response, ErrorCode> {
        let mode = match mode {
            0 => WatchMode::Persistent,
            1 => WatchMode::Recursive,
            _ => return Err(ErrorCode::MarshallingError),
        };
        self.watches.add(path, id, mode);
        // The reply has the code a second time, as its body.
        Ok(Response::Number(0))
    }

    fn check_watches(&self, path: &str, kind: i32) -> Result<Response, ErrorCode> {
        let which = Which::from_kind(kind).ok_or(ErrorCode::MarshallingError)?;
        // Apache ZooKeeper looks for the parents, too, and fails where there is no slash; an empty path has no parts at
        // all, so that it finds nothing.
        match path {
            "" => Err(ErrorCode::NoWatcher),
            _ if !path.contains('/') => Err(ErrorCode::MarshallingError),
            _ if self.watches.is_watched(path, which) => Ok(Response::Empty),
            _ => Err(ErrorCode::NoWatcher),
        }
    }

    fn remove_watches(&mut self, id: ConnectionId, path: &str, kind: i32) -> Result<Response, ErrorCode> {
        let which = Which::from_kind(kind).ok_or(ErrorCode::MarshallingError)?;
        if self.watches.remove(path, id, which) { Ok(Response::Empty) } else { Err(ErrorCode::NoWatcher) }
    }
}

fn response(done: Done) -> Response {
    match done {
        Done::Created { path, stat, with_stat: true } => Response::PathStat(path, stat),
        Done::Created { path, .. } => Response::Path(path),
        Done::DataSet(stat) | Done::AclSet(stat) => Response::Stat(stat),
        Done::Deleted | Done::Checked => Response::Empty,
    }
}
