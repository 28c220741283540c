//! A session thread: it runs one client of the crate, for the life of one connection.
//!
//! The thread has a runtime of its own, so that neither a busy application nor the crate can stall the other: a session
//! must send pings whatever the program does. Nothing of the crate is polled anywhere else. Operations arrive as jobs;
//! replies and events leave through channels. When the connection breaks the runtime is dropped with everything on it,
//! and every channel closes.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, interval, timeout};
use zookeeper_client as zk;

use super::capabilities::Capabilities;
use super::dial::Dialled;
use super::{BoxFuture, ConnectError, ResumeTicket, Settings, Transport, errors};
use crate::error::ErrorKind;
use crate::fd_reserve::fd_reserve;
use crate::path::ZnodePath;
use crate::session::{Session, SessionId};
use crate::transport::{
    Acl, CreateMode, Event, EventKind, Identity, Reading, Reply, Stat, TransportEnd, Turn, Zxid,
};

/// How many events the queue of a watch takes. One more ends the watch, and its reader reads everything again.
/// An event takes about a hundred bytes.
const EVENTS_WAITING: usize = 16_384;

/// How long a server may take to grant or resume a session; the crate allows 2/5 of the session timeout, if that is
/// less. A hung server must not use up the rest of a long session timeout.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the ensemble may take to confirm the end of a session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the session thread fills the fd reserve.
const REFILL: Duration = Duration::from_secs(1);

/// The tasks of a session thread. First polled in the order in which they were pushed.
type Tasks = FuturesUnordered<BoxFuture<'static, ()>>;

type Job = Box<dyn FnOnce(&zk::Client, &Tasks) + Send>;

enum Command {
    Run(Job),
    Close(oneshot::Sender<bool>),
}

/// The content of a [`ResumeTicket`].
#[derive(Clone)]
pub(super) struct Credentials {
    info: zk::SessionInfo,
    capabilities: Arc<Capabilities>,
}

/// The handle of a session thread. When the last one is dropped the thread ends, and a later connection resumes the
/// session, or it expires.
pub(super) struct SessionThread {
    session: Session,
    credentials: Credentials,
    server: SocketAddr,
    commands: mpsc::UnboundedSender<Command>,
    down: watch::Receiver<Option<TransportEnd>>,
}

impl std::fmt::Debug for SessionThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionThread")
            .field("session", &self.session.id)
            .field("server", &self.server)
            .finish()
    }
}

/// Starts a session thread whose client attaches to the session of the credentials, or begins a new one.
pub(super) async fn open(
    server: &Dialled,
    credentials: Option<&Credentials>,
    settings: &Settings,
) -> Result<SessionThread, ConnectError> {
    let address = server.address;
    let wanted = if credentials.is_some() { "resume the session" } else { "grant a session" };
    let failed = |cause: String| ConnectError::Handshake { server: address.to_string(), wanted, cause };
    if let Some(cause) = settings.unusable(server) {
        return Err(failed(cause));
    }
    let capabilities = credentials
        .map_or_else(|| Arc::new(Capabilities::new(settings.version)), |known| known.capabilities.clone());

    let connector = settings.connector(credentials.map(|known| &known.info), &capabilities);
    let (ready, granted) = oneshot::channel();
    let (commands, queue) = mpsc::unbounded_channel();
    let (down_tx, down) = watch::channel(None);
    let died = down_tx.clone();
    let main = serve(connector, settings.connect_string(server), ready, queue, down_tx);
    std::thread::Builder::new()
        .name("zk-session".into())
        .spawn(move || run(main, &died))
        .map_err(|error| failed(format!("cannot start the session thread: {error}")))?;

    let limit = settings.session_timeout.min(HANDSHAKE_TIMEOUT);
    match timeout(limit, granted).await {
        Ok(Ok(Ok((info, timeout)))) => {
            let session = Session { id: SessionId(info.id().0), timeout };
            Ok(SessionThread {
                session,
                credentials: Credentials { info, capabilities },
                server: address,
                commands,
                down,
            })
        }
        Ok(Ok(Err(zk::Error::SessionExpired))) => Err(ConnectError::SessionExpired),
        Ok(Ok(Err(zk::Error::AuthFailed))) => Err(ConnectError::AuthFailed { server: address.to_string() }),
        Ok(Ok(Err(zk::Error::NoHosts))) => Err(failed(match settings.diagnose(server).await {
            Some(cause) => cause,
            None => "it closed the connection, or sent nothing; is it part of a quorum?".into(),
        })),
        Ok(Ok(Err(error))) => Err(failed(error.to_string())),
        Ok(Err(_)) => Err(failed("the session thread ended".into())),
        Err(_) => Err(failed(format!("no reply within {limit:?}"))),
    }
}

/// The function of the thread: runs `main`, and catches its panics.
///
/// The crate panics if a reply is shorter than it expects. That ends this connection, and not the program.
fn run(main: impl Future<Output = ()>, down: &watch::Sender<Option<TransportEnd>>) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        // `main` is dropped, and with it the channel that `open` waits for.
        Err(error) => return tracing::error!(%error, "cannot start the runtime of the session thread"),
    };
    // Unwind safe: nothing that the panic may have left in an inconsistent state is used afterwards.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runtime.block_on(main))) {
        let message = panic.downcast_ref::<&str>().copied();
        let message =
            message.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        tracing::error!(panic = message, "zookeeper-client panicked, closing its connection");
        let cause = format!("zookeeper-client panicked: {message}");
        down.send_if_modified(|down| {
            let is_new = down.is_none();
            down.get_or_insert(TransportEnd::ConnectionLost(cause));
            is_new
        });
    }
}

/// A runtime that polls `serve` after every step of any other task. So `serve` acts on the end of a connection right
/// after the crate has noticed it and begun to dial, and before that dial can have succeeded.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build()
}

type Granted = Result<(zk::SessionInfo, Duration), zk::Error>;

/// The main task of a session thread. Returns, which ends everything on this thread, as soon as the connection breaks,
/// and before the reconnect of the crate has sent anything.
async fn serve(
    connector: zk::Connector,
    address: String,
    mut ready: oneshot::Sender<Granted>,
    mut queue: mpsc::UnboundedReceiver<Command>,
    down: watch::Sender<Option<TransportEnd>>,
) {
    let mut connecting = pin!(connector.connect(&address));
    let client = tokio::select! {
        biased;
        // The caller of `open` does not wait any more.
        () = ready.closed() => return,
        client = &mut connecting => client,
    };
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let mut states = client.state_watcher();
    // `state_watcher` treats the current state as seen (D6): read it before waiting.
    let mut state = states.peek_state();
    if ready.send(Ok((client.session().clone(), client.session_timeout()))).is_err() {
        return;
    }

    let mut tasks = Tasks::new();
    let mut refill = interval(REFILL);
    let end = loop {
        if state != zk::SessionState::SyncConnected {
            // Also if the crate reports `Expired`: that comes from its own clock, or from one server. The next attempt
            // to attach to the session gets the reply of the ensemble.
            break TransportEnd::ConnectionLost(state.to_string());
        }
        tokio::select! {
            // The end first: jobs that are queued behind it must not reach the crate.
            biased;
            changed = states.changed() => state = changed,
            // Then the requests in flight, and the first step of the latest job, which sends its request.
            Some(()) = tasks.next(), if !tasks.is_empty() => {}
            command = queue.recv() => match command {
                Some(Command::Run(job)) => job(&client, &tasks),
                Some(Command::Close(confirm)) => {
                    queue.close();
                    // The end is published before the watches go silent.
                    down.send_replace(Some(TransportEnd::Closed));
                    tasks.clear();
                    // Dropping the last clone of the client sends the request to close.
                    drop(client);
                    let closed = timeout(CLOSE_TIMEOUT, async {
                        loop {
                            match states.changed().await {
                                zk::SessionState::Closed => return true,
                                zk::SessionState::SyncConnected | zk::SessionState::ConnectedReadOnly => {}
                                _ => return false,
                            }
                        }
                    });
                    let _ = confirm.send(closed.await.unwrap_or(false));
                    return;
                }
                // All handles were dropped: a later connection resumes the session, or it expires.
                None => return,
            },
            // If descriptors were short when the connection was opened.
            _ = refill.tick() => {
                let _ = fd_reserve().fill();
            }
        }
    };
    // Delivers the replies and events that arrived before the end, such as the refusal of an old server.
    let _ = unconstrained(async { while tasks.next().await.is_some() {} }).now_or_never();
    // In this order: a caller that has seen the end can send nothing more.
    drop(queue);
    down.send_replace(Some(end));
}

/// The task of a watch, which stays on the session thread after the reply.
type WatchTask = BoxFuture<'static, ()>;

impl SessionThread {
    /// Whether the server is assumed to know the requests of ZooKeeper 3.6.
    pub(super) fn is_modern(&self) -> bool {
        self.credentials.capabilities.modern()
    }

    /// Whether the server is assumed to know the request for our identities.
    pub(super) fn can_list_identities(&self) -> bool {
        self.credentials.capabilities.who_am_i()
    }

    /// Sends an operation to the session thread and returns its reply. Requests are sent in the order of these calls:
    /// jobs run in order, and the tasks that they push are first polled in order.
    fn submit<T, F>(&self, turn: Turn, operation: impl FnOnce(zk::Client) -> F + Send + 'static) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Option<WatchTask>), ErrorKind>> + Send + 'static,
    {
        let (reply, replied) = oneshot::channel();
        let job: Job = Box::new(move |client, tasks| {
            let operation = operation(client.clone());
            // The request has left the queue, and waits for its reply.
            drop(turn);
            tasks.push(Box::pin(async move {
                let (result, watch_task) = match operation.await {
                    Ok((value, watch_task)) => (Ok(value), watch_task),
                    Err(error) => (Err(error), None),
                };
                // If the caller has dropped the reply, dropping the watch removes it from the server.
                if let (Ok(()), Some(watch_task)) = (reply.send(result), watch_task) {
                    watch_task.await;
                }
            }));
        });
        if self.commands.send(Command::Run(job)).is_err() {
            return Box::pin(async { Err(ErrorKind::NotConnected) });
        }
        Box::pin(async move {
            // A dropped sender: the thread has ended, possibly after sending the request.
            replied.await.unwrap_or_else(|_| Err(ErrorKind::ConnectionLost("the connection ended".into())))
        })
    }

    fn call<T, F>(&self, turn: Turn, operation: impl FnOnce(zk::Client) -> F + Send + 'static) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, zk::Error>> + Send + 'static,
    {
        self.submit(turn, move |client| {
            let operation = operation(client);
            async move { Ok((operation.await.map_err(errors::kind)?, None)) }
        })
    }
}

impl Transport for SessionThread {
    fn session(&self) -> Session {
        self.session
    }

    fn ticket(&self) -> ResumeTicket {
        ResumeTicket::new(self.credentials.clone())
    }

    fn server(&self) -> String {
        self.server.to_string()
    }

    fn has_recursive_watches(&self) -> bool {
        self.credentials.capabilities.recursive_watches()
    }

    fn down(&self) -> watch::Receiver<Option<TransportEnd>> {
        self.down.clone()
    }

    fn create(&self, turn: Turn, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat> {
        let (path, data) = (path.clone(), data.to_vec());
        let modern = self.credentials.capabilities.modern();
        self.call(turn, move |client| async move {
            let options = create_options(mode, acl);
            let creating = client.create(path.as_str(), &data, &options);
            if modern {
                let (stat, _) = creating.await?;
                return Ok(stat_of(&stat));
            }
            // Old servers do not return the stat: send both requests before waiting.
            let looking = client.check_stat(path.as_str());
            creating.await?;
            looking.await?.as_ref().map(stat_of).ok_or(zk::Error::NoNode)
        })
    }

    fn delete(&self, turn: Turn, path: &ZnodePath, version: Option<i32>) -> Reply<()> {
        let path = path.clone();
        self.call(turn, move |client| async move { client.delete(path.as_str(), version).await })
    }

    fn take_over(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()> {
        let (path, data) = (path.clone(), data.to_vec());
        if !self.credentials.capabilities.modern() {
            // The crate encodes a create in a transaction in a way that only 3.5 understands. Two requests that are
            // sent at the same time run one after the other, with next to nothing in between.
            return self.call(turn, move |client| async move {
                let options = create_options(CreateMode::Ephemeral, acl);
                let deleting = client.delete(path.as_str(), Some(version));
                let creating = client.create(path.as_str(), &data, &options);
                let (deleted, created) = tokio::join!(deleting, creating);
                deleted?;
                created.map(|_| ())
            });
        }
        self.call(turn, move |client| async move {
            let commit = {
                let mut writer = client.new_multi_writer();
                writer.add_delete(path.as_str(), Some(version))?;
                writer.add_create(path.as_str(), &data, &create_options(CreateMode::Ephemeral, acl))?;
                writer.commit()
            };
            commit.await?;
            Ok(())
        })
    }

    fn write_and_delete(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8]) -> Reply<()> {
        if !self.credentials.capabilities.modern() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let (path, data) = (path.clone(), data.to_vec());
        self.call(turn, move |client| async move {
            let commit = {
                let mut writer = client.new_multi_writer();
                writer.add_set_data(path.as_str(), &data, Some(version))?;
                writer.add_delete(path.as_str(), Some(version.wrapping_add(1)))?;
                writer.commit()
            };
            commit.await?;
            Ok(())
        })
    }

    fn stat(&self, turn: Turn, path: &ZnodePath) -> Reply<Option<Stat>> {
        let path = path.clone();
        self.call(turn, move |client| async move {
            let found = client.check_stat(path.as_str()).await?;
            Ok(found.as_ref().map(stat_of))
        })
    }

    fn data(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        let path = path.clone();
        self.call(turn, move |client| async move {
            let (data, stat) = client.get_data(path.as_str()).await?;
            Ok((data, stat_of(&stat)))
        })
    }

    fn read_many(&self, turn: Turn, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        let paths = paths.to_vec();
        if !self.credentials.capabilities.modern() {
            return self.call(turn, move |client| async move {
                let reads: Vec<_> = paths.iter().map(|path| client.get_data(path.as_str())).collect();
                let mut readings = Vec::with_capacity(reads.len());
                for read in reads {
                    readings.push(reading(read.await)?);
                }
                Ok(readings)
            });
        }
        let capabilities = self.credentials.capabilities.clone();
        self.call(turn, move |client| async move {
            let commit = {
                let mut reader = client.new_multi_reader();
                for path in &paths {
                    reader.add_get_data(path.as_str())?;
                }
                reader.commit()
            };
            let results = commit.await.inspect_err(|error| {
                if *error == zk::Error::Unimplemented {
                    capabilities.not_modern();
                }
            })?;
            let readings = results.into_iter().map(|result| match result {
                zk::MultiReadResult::Data { data, stat } => Ok(Ok((data, stat_of(&stat)))),
                zk::MultiReadResult::Error { err } => reading(Err(err)),
                _ => Err(zk::Error::UnexpectedError("a reply of an unrequested type".into())),
            });
            readings.collect()
        })
    }

    fn set_data(&self, turn: Turn, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat> {
        let (path, data) = (path.clone(), data.to_vec());
        self.call(turn, move |client| async move {
            let stat = client.set_data(path.as_str(), &data, version).await?;
            Ok(stat_of(&stat))
        })
    }

    fn children(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        let path = path.clone();
        self.call(turn, move |client| async move {
            // GetChildren2: ZooKeeper caches its serialized replies, and not those of GetChildren.
            let (names, stat) = client.get_children(path.as_str()).await?;
            Ok((names, stat_of(&stat)))
        })
    }

    fn sync(&self, turn: Turn, path: &ZnodePath) -> Reply<()> {
        let path = path.clone();
        self.call(turn, move |client| async move { client.sync(path.as_str()).await })
    }

    fn watch_recursive(&self, turn: Turn, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        if !self.credentials.capabilities.recursive_watches() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let (path, capabilities) = (path.clone(), self.credentials.capabilities.clone());
        self.submit(turn, move |client| async move {
            let watching = client.watch(path.as_str(), zk::AddWatchMode::PersistentRecursive);
            let watcher = watching.await.map_err(errors::kind).inspect_err(|kind| match kind {
                ErrorKind::Unsupported => capabilities.not_modern(),
                refusal if refusal.is_refusal() => capabilities.no_recursive_watches(refusal),
                _ => {}
            })?;
            let (events, receiver) = mpsc::channel(EVENTS_WAITING);
            Ok((receiver, Some(Box::pin(forward(watcher, events)) as WatchTask)))
        })
    }

    fn watch_exists(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.credentials.capabilities.modern();
        self.submit(turn, move |client| async move {
            let looking = client.check_and_watch_stat(path.as_str());
            let (found, watcher) = looking.await.map_err(errors::kind)?;
            let (receiver, watch_task) = once(watcher, removable);
            Ok(((found.as_ref().map(stat_of), receiver), watch_task))
        })
    }

    fn watch_data(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.credentials.capabilities.modern();
        self.submit(turn, move |client| async move {
            let reading = client.get_and_watch_data(path.as_str());
            let (data, stat, watcher) = reading.await.map_err(errors::kind)?;
            let (receiver, watch_task) = once(watcher, removable);
            Ok(((data, stat_of(&stat), receiver), watch_task))
        })
    }

    fn watch_children(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.credentials.capabilities.modern();
        self.submit(turn, move |client| async move {
            let listing = client.get_and_watch_children(path.as_str());
            let (names, stat, watcher) = listing.await.map_err(errors::kind)?;
            let (receiver, watch_task) = once(watcher, removable);
            Ok(((names, stat_of(&stat), receiver), watch_task))
        })
    }

    fn identities(&self, turn: Turn) -> Reply<Vec<Identity>> {
        if !self.credentials.capabilities.who_am_i() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let capabilities = self.credentials.capabilities.clone();
        self.call(turn, move |client| async move {
            let users = client.list_auth_users().await.inspect_err(|error| {
                if *error == zk::Error::Unimplemented {
                    capabilities.no_who_am_i();
                }
            })?;
            let identity =
                |user: &zk::AuthUser| Identity { scheme: user.scheme().into(), user: user.user().into() };
            Ok(users.iter().map(identity).collect())
        })
    }

    fn check(&self) -> Reply<()> {
        // Needs no rights, and no znode except the root, which always exists.
        self.call(Turn::default(), |client| async move { client.check_stat("/").await.map(|_| ()) })
    }

    fn close(&self) -> BoxFuture<'static, bool> {
        let (confirm, confirmed) = oneshot::channel();
        let sent = self.commands.send(Command::Close(confirm)).is_ok();
        Box::pin(async move { sent && confirmed.await.unwrap_or(false) })
    }
}

/// Forwards the events of a persistent watcher until the connection breaks. D1: after a reconnect the watcher would be
/// silent for ever; D6: after the end of the session it would panic. So it is not asked again after a session event.
async fn forward(mut watcher: zk::PersistentWatcher, events: mpsc::Sender<Event>) {
    loop {
        let event = tokio::select! {
            event = watcher.changed() => event,
            () = events.closed() => return,
        };
        if event.event_type == zk::EventType::Session {
            return until_dropped().await;
        }
        let (Some(kind), Ok(path)) = (event_kind(event.event_type), ZnodePath::parse(&event.path)) else {
            continue;
        };
        let zxid = (event.zxid > 0).then_some(Zxid(event.zxid));
        if events.try_send(Event { kind, path, zxid, at: Instant::now() }).is_err() {
            // Full: the reader is far behind, and reading everything again is cheaper for it than all these events.
            tracing::warn!(events = EVENTS_WAITING, "watch queue is full, ending the watch");
            return;
        }
    }
}

/// The receiver of the one event of a one-shot watcher, and the task that delivers it.
///
/// Dropping a watcher removes it from the server. Servers before 3.5 do not know that request, and close the
/// connection: there it stays until it fires or the connection ends.
fn once(watcher: zk::OneshotWatcher, removable: bool) -> (oneshot::Receiver<EventKind>, Option<WatchTask>) {
    let (mut fired, receiver) = oneshot::channel();
    let watch_task = async move {
        let event = tokio::select! {
            event = watcher.changed() => event,
            () = fired.closed(), if removable => return,
        };
        match event_kind(event.event_type) {
            Some(kind) => drop(fired.send(kind)),
            None => until_dropped().await,
        }
    };
    (receiver, Some(Box::pin(watch_task)))
}

/// The connection has ended, which [`serve`] publishes before it drops this task. So a reader whose watch ends finds the
/// connection ended, and does not take the end for an overrun queue.
async fn until_dropped() {
    std::future::pending().await
}

/// The result of reading one znode of several; an error if it concerns the whole connection.
fn reading(result: Result<(Vec<u8>, zk::Stat), zk::Error>) -> Result<Reading, zk::Error> {
    match result {
        Ok((data, stat)) => Ok(Ok((data, stat_of(&stat)))),
        Err(error @ (zk::Error::NoNode | zk::Error::NoAuth)) => Ok(Err(errors::kind(error))),
        Err(error) => Err(error),
    }
}

fn event_kind(event: zk::EventType) -> Option<EventKind> {
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

fn create_options(mode: CreateMode, acl: Acl) -> zk::CreateOptions<'static> {
    let mode = match mode {
        CreateMode::Persistent => zk::CreateMode::Persistent,
        CreateMode::Ephemeral => zk::CreateMode::Ephemeral,
    };
    mode.with_acls(match acl {
        Acl::Open => zk::Acls::anyone_all(),
        Acl::Creator => zk::Acls::new(CREATOR),
    })
}

fn stat_of(stat: &zk::Stat) -> Stat {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_on_the_session_thread_is_a_lost_connection_with_the_message_of_the_panic() {
        let literal = || -> BoxFuture<'static, ()> { Box::pin(async { panic!("short body") }) };
        let formatted = || -> BoxFuture<'static, ()> { Box::pin(async { panic!("index {}", 3 + 4) }) };
        for (message, main) in [("short body", literal()), ("index 7", formatted())] {
            let (down, ended) = watch::channel(None);
            run(main, &down);
            let ended = ended.borrow().clone();
            let Some(TransportEnd::ConnectionLost(cause)) = ended else { panic!("{ended:?}") };
            assert!(cause.contains("panicked") && cause.contains(message), "{cause}");
        }
        let (down, ended) = watch::channel(Some(TransportEnd::Closed));
        run(literal(), &down);
        assert_eq!(*ended.borrow(), Some(TransportEnd::Closed), "the first cause remains");
    }
}
