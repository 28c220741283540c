use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot, watch};

use zk_wire::{Acl, ConnectRequest, ErrorCode, MultiResult, OpCode, Request, Response, Stat, WatchEvent};

use super::Error;
use super::connection::{Call, Connection, Granted, Reply};
use super::multi::{MultiOp, all_or_error};
use super::types::{CreateMode, WatchMode, any};

/// One ZooKeeper session on one TCP connection.
///
/// Calls may run concurrently; they are sent in the order in which their futures are first polled. A call waits for its
/// answer at most as long as the server is silent for one session timeout. Dropping the client drops the connection, but
/// leaves the session to expire, as when a process dies; [`close`](Self::close) ends it.
#[derive(Debug)]
pub struct Client {
    session_id: i64,
    password: [u8; 16],
    timeout: Duration,
    read_only: bool,
    calls: mpsc::UnboundedSender<Call>,
    // Unbounded, because the task must not wait for a test that forgets to look; it holds watches of its own making.
    events: Mutex<mpsc::UnboundedReceiver<WatchEvent>>,
    ended: watch::Receiver<bool>,
}

impl Client {
    /// Connects to a server and opens a new session.
    ///
    /// The server grants a timeout of 2 to 20 ticks; see [`negotiated_timeout`](Self::negotiated_timeout).
    ///
    /// # Errors
    /// [`Error::Io`] if the port is closed, or there is no reply within 5 s.
    ///
    /// # Cancel safety
    /// A session may have been opened, and then expires.
    pub async fn connect(addr: SocketAddr, session_timeout: Duration) -> Result<Self, Error> {
        Self::connect_with(addr, session_timeout, 0, &[0; 16]).await
    }

    /// Connects to a server and takes over an existing session, or opens a new one if the id is 0.
    ///
    /// A connection that owned the session so far is closed: at once if it is to the same server, which does so even
    /// before it looks at the password, else at its next request or ping.
    ///
    /// # Errors
    /// [`Error::SessionExpired`] if there is no such session or the password is wrong; else as for
    /// [`connect`](Self::connect).
    pub async fn connect_with(
        addr: SocketAddr,
        session_timeout: Duration,
        session_id: i64,
        password: &[u8; 16],
    ) -> Result<Self, Error> {
        let password = Some(password.to_vec());
        Self::open(addr, ConnectRequest { session_id, password, ..new_session(session_timeout) }).await
    }

    /// Connects to a server that may be without a majority, and then serves reads only; see
    /// [`is_read_only`](Self::is_read_only).
    ///
    /// A member of an ensemble that allows it ([`EnsembleBuilder::read_only_mode`](crate::EnsembleBuilder::read_only_mode))
    /// refuses all other clients while it has no majority.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn connect_read_only(addr: SocketAddr, session_timeout: Duration) -> Result<Self, Error> {
        Self::open(addr, ConnectRequest { read_only: Some(true), ..new_session(session_timeout) }).await
    }

    async fn open(addr: SocketAddr, request: ConnectRequest) -> Result<Self, Error> {
        let (events_tx, events) = mpsc::unbounded_channel();
        let (connection, granted) = Connection::open(addr, &request, events_tx).await?;
        let Granted { session_id, password, timeout, read_only } = granted;
        let (calls, calls_rx) = mpsc::unbounded_channel();
        let (ended_tx, ended) = watch::channel(false);
        // Ends with the connection, or when this client has dropped its sender.
        tokio::spawn(connection.run(calls_rx, ended_tx));
        Ok(Self { session_id, password, timeout, read_only, calls, events: Mutex::new(events), ended })
    }

    /// Returns the id of the session.
    pub fn session_id(&self) -> i64 {
        self.session_id
    }

    /// Returns the password that, with the id, takes over the session.
    pub fn password(&self) -> &[u8; 16] {
        &self.password
    }

    /// Returns the session timeout that the server granted.
    pub fn negotiated_timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns whether the server served reads only when it granted the session.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Returns whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until the connection has ended; when the session expires, the server ends it.
    pub async fn closed(&self) {
        // An error means that the task is gone, and the connection with it.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Creates a node that everybody may use, and returns its path, which has a counter at its end for a sequential one.
    ///
    /// # Errors
    /// [`Error::NodeExists`], [`Error::NoNode`] for a missing parent, and others.
    pub async fn create(&self, path: &str, data: &[u8], mode: CreateMode) -> Result<String, Error> {
        self.create_with_acl(path, data, mode, &[Acl::open()]).await
    }

    /// Creates a node under an access control list, and returns its path.
    ///
    /// # Errors
    /// Those of [`create`](Self::create), and [`Error::InvalidAcl`].
    pub async fn create_with_acl(
        &self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
        acl: &[Acl],
    ) -> Result<String, Error> {
        match self.request(mode.request(path.into(), data.to_vec(), acl.to_vec())).await? {
            Response::Path(path) | Response::PathStat(path, _) => Ok(path),
            _ => Err(Error::Malformed),
        }
    }

    /// Creates a persistent node and all of its missing parents, without data; what exists is left alone.
    ///
    /// # Errors
    /// Those of [`create`](Self::create), but not [`Error::NodeExists`].
    pub async fn create_all(&self, path: &str) -> Result<(), Error> {
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        for end in ends {
            match self.create(&path[..end], b"", CreateMode::Persistent).await {
                Ok(_) | Err(Error::NodeExists) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes a node; with a version, only if the node has it.
    ///
    /// # Errors
    /// [`Error::NoNode`], [`Error::BadVersion`], [`Error::NotEmpty`], and others.
    pub async fn delete(&self, path: &str, version: Option<i32>) -> Result<(), Error> {
        self.request(Request::Delete { path: path.into(), version: any(version) }).await.map(drop)
    }

    /// Deletes a node and everything below it, bottom up; what is gone meanwhile is no error.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] if another client creates faster than this deletes, and others.
    pub async fn delete_recursive(&self, path: &str) -> Result<(), Error> {
        let mut found = vec![path.to_owned()];
        let mut next = 0;
        while let Some(parent) = found.get(next).cloned() {
            next += 1;
            match self.children(&parent).await {
                Ok((children, _)) => found.extend(children.iter().map(|child| join(&parent, child))),
                Err(Error::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
        for path in found.iter().rev() {
            match self.delete(path, None).await {
                Ok(()) | Err(Error::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Looks at a node; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Io`] and the like; not [`Error::NoNode`].
    pub async fn exists(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.stat(path, false).await
    }

    /// Looks at a node and leaves a watch that fires once, when the node is created, deleted or written.
    ///
    /// # Errors
    /// Those of [`exists`](Self::exists).
    pub async fn exists_and_watch(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.stat(path, true).await
    }

    /// Reads a node's data.
    ///
    /// # Errors
    /// [`Error::NoNode`], [`Error::NoAuth`], and others.
    pub async fn get(&self, path: &str) -> Result<(Vec<u8>, Stat), Error> {
        match self.request(Request::GetData { path: path.into(), watch: false }).await? {
            Response::Data(data, stat) => Ok((data.unwrap_or_default(), stat)),
            _ => Err(Error::Malformed),
        }
    }

    /// Writes a node's data; with a version, only if the node has it.
    ///
    /// # Errors
    /// [`Error::NoNode`], [`Error::BadVersion`], [`Error::NoAuth`], and others.
    pub async fn set(&self, path: &str, data: &[u8], version: Option<i32>) -> Result<Stat, Error> {
        let data = Some(data.to_vec());
        self.call_for_stat(Request::SetData { path: path.into(), data, version: any(version) }).await
    }

    /// Lists the names of a node's children, in no order.
    ///
    /// # Errors
    /// [`Error::NoNode`], [`Error::NoAuth`], and others.
    pub async fn children(&self, path: &str) -> Result<(Vec<String>, Stat), Error> {
        self.list(path, false).await
    }

    /// Lists a node's children and leaves a watch that fires once, when a child comes or goes or the node is deleted.
    ///
    /// # Errors
    /// Those of [`children`](Self::children).
    pub async fn children_and_watch(&self, path: &str) -> Result<(Vec<String>, Stat), Error> {
        self.list(path, true).await
    }

    /// Reads a node's access control list.
    ///
    /// # Errors
    /// [`Error::NoNode`], and others.
    pub async fn get_acl(&self, path: &str) -> Result<(Vec<Acl>, Stat), Error> {
        match self.request(Request::GetAcl { path: path.into() }).await? {
            Response::Acl(acl, stat) => Ok((acl, stat)),
            _ => Err(Error::Malformed),
        }
    }

    /// Replaces a node's access control list.
    ///
    /// # Errors
    /// [`Error::NoNode`], [`Error::InvalidAcl`], [`Error::NoAuth`], and others.
    pub async fn set_acl(&self, path: &str, acl: &[Acl]) -> Result<Stat, Error> {
        self.write_acl(path, acl, None).await
    }

    /// Replaces a node's access control list, if it has been replaced as often as `aversion` says.
    ///
    /// # Errors
    /// Those of [`set_acl`](Self::set_acl), and [`Error::BadVersion`].
    pub async fn set_acl_if(&self, path: &str, acl: &[Acl], aversion: i32) -> Result<Stat, Error> {
        self.write_acl(path, acl, Some(aversion)).await
    }

    /// Lists the identities of the session: pairs of scheme and user, in no order. Needs a server of 3.7 or newer.
    ///
    /// # Errors
    /// [`Error::Unimplemented`] from an older server, which closes the connection too.
    pub async fn who_am_i(&self) -> Result<Vec<(String, String)>, Error> {
        match self.request(Request::WhoAmI).await? {
            Response::Users(users) => Ok(users),
            _ => Err(Error::Malformed),
        }
    }

    /// Authenticates the session, such as with scheme `digest` and `user:password`.
    ///
    /// # Errors
    /// [`Error::AuthFailed`] for an unknown scheme; the server then closes the connection.
    pub async fn add_auth(&self, scheme: &str, data: &[u8]) -> Result<(), Error> {
        let data = Some(data.to_vec());
        self.request(Request::Auth { kind: 0, scheme: scheme.into(), data }).await.map(drop)
    }

    /// Waits until the server has caught up with the leader.
    ///
    /// # Errors
    /// [`Error::Io`] and the like.
    pub async fn sync(&self, path: &str) -> Result<(), Error> {
        self.request(Request::Sync { path: path.into() }).await.map(drop)
    }

    /// Carries out all operations or none.
    ///
    /// # Errors
    /// [`Error::Multi`] names the operation that failed.
    pub async fn multi(&self, operations: &[MultiOp]) -> Result<Vec<MultiResult>, Error> {
        let operations = operations.iter().map(|operation| operation.0.clone()).collect();
        match self.request(Request::Multi { operations }).await? {
            Response::Multi(results) => all_or_error(results),
            _ => Err(Error::Malformed),
        }
    }

    /// Sends any request, such as a recorded one, and returns its reply. A multi that failed is a reply, too, with the
    /// errors of its operations.
    ///
    /// # Errors
    /// What the server replies, and [`Error::Io`].
    pub async fn request(&self, request: Request) -> Result<Response, Error> {
        let op_code = request.op_code();
        let reply = self.exchange(request).await?;
        let is_multi = op_code == OpCode::Multi && !reply.body.is_empty();
        if reply.code == ErrorCode::Ok || is_multi { reply.read(op_code) } else { Err(reply.code.into()) }
    }

    /// Sets a watch that lasts until the connection ends; needs a server of 3.6 or newer.
    ///
    /// # Errors
    /// [`Error::Unimplemented`] from an older server, which closes the connection too.
    pub async fn watch(&self, path: &str, mode: WatchMode) -> Result<(), Error> {
        let mode = match mode {
            WatchMode::Persistent => 0,
            WatchMode::Recursive => 1,
        };
        self.request(Request::AddWatch { path: path.into(), mode }).await.map(drop)
    }

    /// Waits for the next watch to fire; `None` when the connection has ended and all events are read.
    ///
    /// An event is in the queue before the reply to any later request of this client.
    ///
    /// # Cancel safety
    /// No event is lost.
    pub async fn next_event(&self) -> Option<WatchEvent> {
        self.events.lock().await.recv().await
    }

    /// Ends the session and returns when the server has confirmed it; its ephemeral nodes are gone then.
    ///
    /// # Errors
    /// [`Error::Io`] if the connection ended first.
    pub async fn close(self) -> Result<(), Error> {
        self.request(Request::CloseSession).await.map(drop)
    }

    async fn write_acl(&self, path: &str, acl: &[Acl], aversion: Option<i32>) -> Result<Stat, Error> {
        let acl = Some(acl.to_vec());
        self.call_for_stat(Request::SetAcl { path: path.into(), acl, version: any(aversion) }).await
    }

    async fn stat(&self, path: &str, watch: bool) -> Result<Option<Stat>, Error> {
        match self.call_for_stat(Request::Exists { path: path.into(), watch }).await {
            Ok(stat) => Ok(Some(stat)),
            Err(Error::NoNode) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, path: &str, watch: bool) -> Result<(Vec<String>, Stat), Error> {
        match self.request(Request::GetChildren2 { path: path.into(), watch }).await? {
            Response::Children(names, stat) => Ok((names, stat)),
            _ => Err(Error::Malformed),
        }
    }

    async fn call_for_stat(&self, request: Request) -> Result<Stat, Error> {
        match self.request(request).await? {
            Response::Stat(stat) => Ok(stat),
            _ => Err(Error::Malformed),
        }
    }

    async fn exchange(&self, request: Request) -> Result<Reply, Error> {
        let gone = || Error::from(io::Error::new(io::ErrorKind::NotConnected, "the connection has ended"));
        let (reply_tx, reply) = oneshot::channel();
        self.calls.send(Call { request, reply: reply_tx }).map_err(|_| gone())?;
        reply.await.map_err(|_| gone())?
    }
}

fn new_session(timeout: Duration) -> ConnectRequest {
    ConnectRequest::new(i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX))
}

fn join(parent: &str, child: &str) -> String {
    format!("{}/{child}", parent.trim_end_matches('/'))
}
