use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use zk_core::transport::{
    Acl, BoxFuture, CreateMode, Event, EventKind, Identity, Reading, Reply, ResumeTicket, Stat, Transport,
    TransportEnd, Turn, latest,
};
use zk_core::{ErrorKind, Session, ZnodePath};
use zk_embedded::Version;
use zk_wire::Request;

use crate::ask::Asking;
use crate::call::{Call, Replied};
use crate::dial::Granted;
use crate::shared::Shared;
use crate::verb::Verb;
use crate::watches::{Watch, Watching};
use crate::wire::{self, Results};

/// How long the ensemble may take to confirm the end of a session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// One connection of a client. Dropping it hangs up.
pub(crate) struct SimulatedTransport {
    shared: Arc<Shared>,
    granted: Granted,
    version: Version,
    ask: Asking,
}

impl SimulatedTransport {
    pub(crate) fn new(shared: Arc<Shared>, granted: Granted) -> Self {
        let version = granted.version;
        Self { shared, granted, version, ask: Asking { is_modern: version >= Version::V3_6 } }
    }

    fn submit<T: Send + 'static>(
        &self,
        turn: Turn,
        mut call: Call,
        read: impl FnOnce(Replied) -> Result<T, ErrorKind> + Send + 'static,
    ) -> Reply<T> {
        let (reply, replied) = oneshot::channel();
        call.turn = turn;
        call.deliver = Box::new(move |result| {
            let _ = reply.send(result.and_then(read));
        });
        if !self.shared.with(|world, now| world.call(self.granted.connection, call, now)) {
            return Box::pin(async { Err(ErrorKind::NotConnected) });
        }
        Box::pin(async move {
            replied.await.unwrap_or_else(|_| Err(ErrorKind::ConnectionLost("the connection ended".into())))
        })
    }

    fn send<T: Send + 'static>(
        &self,
        turn: Turn,
        call: Call,
        read: impl FnOnce(Results) -> Result<T, ErrorKind> + Send + 'static,
    ) -> Reply<T> {
        self.submit(turn, call, |replied| read(replied.results))
    }

    /// Sends a request that leaves a watch for one event.
    fn send_once<T: Send + 'static>(
        &self,
        turn: Turn,
        call: Call,
        read: impl FnOnce(Results) -> Result<T, ErrorKind> + Send + 'static,
    ) -> Reply<(T, oneshot::Receiver<EventKind>)> {
        self.submit(turn, call, |replied| {
            let read = read(replied.results)?;
            match replied.watching {
                Some(Watching::Once(fired)) => Ok((read, fired)),
                _ => Err(ErrorKind::Unexpected("no watch".into())),
            }
        })
    }
}

impl fmt::Debug for SimulatedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedTransport").field("session", &self.granted.session.id).finish()
    }
}

impl Drop for SimulatedTransport {
    fn drop(&mut self) {
        self.shared.with(|world, now| world.hang_up(self.granted.connection, now));
    }
}

impl Transport for SimulatedTransport {
    fn session(&self) -> Session {
        self.granted.session
    }

    fn ticket(&self) -> ResumeTicket {
        ResumeTicket::new(self.granted.credentials.clone())
    }

    fn server(&self) -> String {
        self.granted.server.clone()
    }

    fn has_recursive_watches(&self) -> bool {
        self.granted.recursive.load(Ordering::Relaxed)
    }

    fn down(&self) -> latest::Receiver<Option<TransportEnd>> {
        self.granted.down.clone()
    }

    fn create(&self, turn: Turn, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat> {
        self.send(turn, self.ask.create(path, data, mode, acl), wire::stat)
    }

    fn delete(&self, turn: Turn, path: &ZnodePath, version: Option<i32>) -> Reply<()> {
        self.send(turn, self.ask.delete(path, version), wire::nothing)
    }

    fn take_over(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()> {
        self.send(turn, self.ask.take_over(path, version, data, acl), wire::nothing)
    }

    fn write_and_delete(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8]) -> Reply<()> {
        if !self.ask.is_modern {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        self.send(turn, self.ask.write_and_delete(path, version, data), wire::nothing)
    }

    fn stat(&self, turn: Turn, path: &ZnodePath) -> Reply<Option<Stat>> {
        self.send(turn, self.ask.exists(Verb::Stat, path, false), wire::found)
    }

    fn data(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        self.send(turn, self.ask.data(Verb::Data, path, false), wire::data)
    }

    fn read_many(&self, turn: Turn, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        match self.ask.read_many(paths) {
            Some(call) => self.send(turn, call, wire::readings),
            None => Box::pin(async { Ok(Vec::new()) }),
        }
    }

    fn set_data(&self, turn: Turn, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat> {
        self.send(turn, self.ask.set_data(path, data, version), wire::stat)
    }

    fn children(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        self.send(turn, self.ask.children(Verb::Children, path, false), wire::children)
    }

    fn sync(&self, turn: Turn, path: &ZnodePath) -> Reply<()> {
        let request = Request::Sync { path: path.to_string() };
        self.send(turn, Call::new(Verb::Sync, path, vec![request]), wire::nothing)
    }

    fn watch_recursive(&self, turn: Turn, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        if !self.has_recursive_watches() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let request = Request::AddWatch { path: path.to_string(), mode: 1 };
        let call = Call::new(Verb::WatchRecursive, path, vec![request]).watch(Watch::Recursive);
        self.submit(turn, call, |replied| {
            wire::nothing(replied.results)?;
            match replied.watching {
                Some(Watching::Recursive(events)) => Ok(events),
                _ => Err(ErrorKind::Unexpected("no watch".into())),
            }
        })
    }

    fn watch_exists(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        let call = self.ask.exists(Verb::WatchExists, path, true).watch(Watch::Exists);
        self.send_once(turn, call, wire::found)
    }

    fn watch_data(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        let call = self.ask.data(Verb::WatchData, path, true).watch(Watch::Data);
        let reply = self.send_once(turn, call, wire::data);
        Box::pin(async move { reply.await.map(|((data, stat), fired)| (data, stat, fired)) })
    }

    fn watch_children(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        let call = self.ask.children(Verb::WatchChildren, path, true).watch(Watch::Children);
        let reply = self.send_once(turn, call, wire::children);
        Box::pin(async move { reply.await.map(|((names, stat), fired)| (names, stat, fired)) })
    }

    fn identities(&self, turn: Turn) -> Reply<Vec<Identity>> {
        if self.version < Version::V3_8 {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let call = Call::new(Verb::Identities, &ZnodePath::root(), vec![Request::WhoAmI]);
        self.send(turn, call, |results| {
            let identity = |(scheme, user)| Identity { scheme, user };
            Ok(wire::users(results)?.into_iter().map(identity).collect())
        })
    }

    fn check(&self) -> Reply<()> {
        let call = self.ask.exists(Verb::Check, &ZnodePath::root(), false);
        self.send(Turn::default(), call, wire::nothing)
    }

    fn close(&self) -> BoxFuture<'static, bool> {
        let call = Call::new(Verb::Close, &ZnodePath::root(), vec![Request::CloseSession]);
        let closed = self.send(Turn::default(), call, wire::nothing);
        Box::pin(async move { matches!(tokio::time::timeout(CLOSE_TIMEOUT, closed).await, Ok(Ok(()))) })
    }
}
