//! A connection as a faulty client has it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use zk_core::transport::{
    Acl, BoxFuture, CreateMode, Event, EventKind, Identity, Reading, Reply, ResumeTicket, Stat, Transport,
    TransportEnd, Turn, latest,
};
use zk_core::{ErrorKind, Session, ZnodePath};

use super::Planted;
use super::ensemble::Memory;

/// A connection of a client with a mistake. What the mistake does not concern, it passes on.
pub(super) struct FaultyTransport {
    planted: Planted,
    transport: Arc<dyn Transport>,
    /// The connection goes on with the session of the one before.
    resumes: bool,
    memory: Arc<Memory>,
    /// The senders of watches that were never set: they report nothing, and end with the connection.
    silent: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl fmt::Debug for FaultyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyTransport").field("planted", &self.planted).finish_non_exhaustive()
    }
}

impl FaultyTransport {
    pub(super) fn new(
        planted: Planted,
        transport: Arc<dyn Transport>,
        resumes: bool,
        memory: Arc<Memory>,
    ) -> Self {
        Self { planted, transport, resumes, memory, silent: Mutex::default() }
    }

    fn sets_no_watches(&self) -> bool {
        self.planted == Planted::WatchNotSetAgain && self.resumes
    }

    /// A watch for one event that never comes.
    fn never_fires(&self) -> oneshot::Receiver<EventKind> {
        let (fires, fired) = oneshot::channel();
        self.silent.lock().push(Box::new(fires));
        fired
    }

    /// For a request that follows a reply: only its user keeps a connection.
    fn later(&self) -> Weak<dyn Transport> {
        Arc::downgrade(&self.transport)
    }

    /// Remembers an ephemeral znode once it is known to be created.
    fn remembering<T: Send + 'static>(
        &self,
        path: &ZnodePath,
        data: &[u8],
        acl: Acl,
        reply: Reply<T>,
    ) -> Reply<T> {
        let (memory, path, data) = (self.memory.clone(), path.clone(), data.to_vec());
        Box::pin(async move {
            let reply = reply.await?;
            memory.ephemerals.lock().insert(path, (data, acl));
            Ok(reply)
        })
    }

    /// Forgets an ephemeral znode once it is known to be deleted.
    fn forgetting(&self, path: &ZnodePath, reply: Reply<()>) -> Reply<()> {
        let (memory, path) = (self.memory.clone(), path.clone());
        Box::pin(async move {
            reply.await?;
            memory.ephemerals.lock().remove(&path);
            Ok(())
        })
    }

    /// Creates a znode, or writes the one that is there.
    fn create_or_write(
        &self,
        turn: Turn,
        path: &ZnodePath,
        data: &[u8],
        mode: CreateMode,
        acl: Acl,
    ) -> Reply<Stat> {
        let created = self.transport.create(turn.clone(), path, data, mode, acl);
        let (later, path, data) = (self.later(), path.clone(), data.to_vec());
        Box::pin(async move {
            match created.await {
                Err(ErrorKind::NodeExists) if mode == CreateMode::Ephemeral => {
                    let transport = later.upgrade().ok_or(ErrorKind::NotConnected)?;
                    let written = transport.set_data(turn, &path, &data, None);
                    drop(transport);
                    written.await
                }
                created => created,
            }
        })
    }

    /// Deletes a znode, and then creates another one.
    fn delete_and_create(
        &self,
        turn: Turn,
        path: &ZnodePath,
        version: i32,
        data: &[u8],
        acl: Acl,
    ) -> Reply<()> {
        let deleted = self.transport.delete(turn.clone(), path, Some(version));
        let (later, path, data) = (self.later(), path.clone(), data.to_vec());
        Box::pin(async move {
            deleted.await?;
            let transport = later.upgrade().ok_or(ErrorKind::NotConnected)?;
            let created = transport.create(turn, &path, &data, CreateMode::Ephemeral, acl);
            drop(transport);
            created.await.map(drop)
        })
    }
}

impl Transport for FaultyTransport {
    fn session(&self) -> Session {
        self.transport.session()
    }

    fn ticket(&self) -> ResumeTicket {
        self.transport.ticket()
    }

    fn server(&self) -> String {
        self.transport.server()
    }

    fn has_recursive_watches(&self) -> bool {
        self.transport.has_recursive_watches()
    }

    fn down(&self) -> latest::Receiver<Option<TransportEnd>> {
        self.transport.down()
    }

    fn create(&self, turn: Turn, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat> {
        match (self.planted, mode) {
            (Planted::NodeExistsIsSuccess, _) => self.create_or_write(turn, path, data, mode, acl),
            (Planted::RecreatedOnReconnect, CreateMode::Ephemeral) => {
                self.remembering(path, data, acl, self.transport.create(turn, path, data, mode, acl))
            }
            _ => self.transport.create(turn, path, data, mode, acl),
        }
    }

    fn delete(&self, turn: Turn, path: &ZnodePath, version: Option<i32>) -> Reply<()> {
        self.forgetting(path, self.transport.delete(turn, path, version))
    }

    fn take_over(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()> {
        if self.planted == Planted::TakeOverInTwoSteps {
            return self.delete_and_create(turn, path, version, data, acl);
        }
        self.remembering(path, data, acl, self.transport.take_over(turn, path, version, data, acl))
    }

    fn write_and_delete(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8]) -> Reply<()> {
        self.forgetting(path, self.transport.write_and_delete(turn, path, version, data))
    }

    fn stat(&self, turn: Turn, path: &ZnodePath) -> Reply<Option<Stat>> {
        self.transport.stat(turn, path)
    }

    fn data(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        self.transport.data(turn, path)
    }

    fn read_many(&self, turn: Turn, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        self.transport.read_many(turn, paths)
    }

    fn set_data(&self, turn: Turn, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat> {
        let written = self.transport.set_data(turn, path, data, version);
        let acl = self.memory.ephemerals.lock().get(path).map(|(_, acl)| *acl);
        match acl {
            Some(acl) => self.remembering(path, data, acl, written),
            None => written,
        }
    }

    fn children(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        self.transport.children(turn, path)
    }

    fn sync(&self, turn: Turn, path: &ZnodePath) -> Reply<()> {
        self.transport.sync(turn, path)
    }

    fn watch_recursive(&self, turn: Turn, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        if !self.sets_no_watches() {
            return self.transport.watch_recursive(turn, path);
        }
        let (events, received) = mpsc::channel(1);
        self.silent.lock().push(Box::new(events));
        let read = self.transport.stat(turn, path);
        Box::pin(async move { read.await.map(|_| received) })
    }

    fn watch_exists(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        if !self.sets_no_watches() {
            return self.transport.watch_exists(turn, path);
        }
        let (read, fired) = (self.transport.stat(turn, path), self.never_fires());
        Box::pin(async move { Ok((read.await?, fired)) })
    }

    fn watch_data(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        if !self.sets_no_watches() {
            return self.transport.watch_data(turn, path);
        }
        let (read, fired) = (self.transport.data(turn, path), self.never_fires());
        Box::pin(async move { read.await.map(|(data, stat)| (data, stat, fired)) })
    }

    fn watch_children(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        if !self.sets_no_watches() {
            return self.transport.watch_children(turn, path);
        }
        let (read, fired) = (self.transport.children(turn, path), self.never_fires());
        Box::pin(async move { read.await.map(|(names, stat)| (names, stat, fired)) })
    }

    fn identities(&self, turn: Turn) -> Reply<Vec<Identity>> {
        self.transport.identities(turn)
    }

    fn check(&self) -> Reply<()> {
        self.transport.check()
    }

    fn close(&self) -> BoxFuture<'static, bool> {
        self.transport.close()
    }
}
