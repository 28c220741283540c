//! One client of the crate on a thread of its own, for the life of one connection.
//!
//! The thread has its own small runtime, so that neither a busy application nor the crate can stall the
//! other: a session must ping whatever the program does. Nothing of the crate is polled anywhere else.
//! Verbs arrive as jobs; answers and events leave through channels. When the connection breaks the
//! runtime is dropped with everything on it, and every channel closes.

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
use tokio::time::{interval, timeout};
use zookeeper_client as zk;

use super::abilities::Abilities;
use super::dial::Dialled;
use super::{BoxFuture, ConnectError, Settings, Ticket, Transport, errors};
use crate::error::ErrorKind;
use crate::fd_reserve::fd_reserve;
use crate::path::ZnodePath;
use crate::session::{Session, SessionId};
use crate::transport::{Acl, CreateMode, Down, Event, EventKind, Identity, Reading, Reply, Stat, Zxid};

/// Events that may wait in one watch before it is ended as overrun; its reader then reads all anew.
/// An event takes about a hundred bytes.
const EVENTS_WAITING: usize = 16_384;

/// How long a server may take to grant or resume a session; 2/5 of the session timeout, by the crate, where
/// that is less. A hung server must not use up what is left of a long session timeout.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the ensemble may take to confirm the end of a session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the reserve of file descriptors is filled, where it is not whole.
const REFILL: Duration = Duration::from_secs(1);

/// What is under way on a session thread. First polled in the order in which they were pushed.
type Tasks = FuturesUnordered<BoxFuture<'static, ()>>;

type Job = Box<dyn FnOnce(&zk::Client, &Tasks) + Send>;

enum Command {
    Run(Job),
    Close(oneshot::Sender<bool>),
}

/// What a [`Ticket`] holds.
#[derive(Clone)]
pub(super) struct Pass {
    info: zk::SessionInfo,
    abilities: Arc<Abilities>,
}

/// The other threads' handle to a session thread. When the last one is dropped the thread ends, and
/// leaves the session to a later attachment, or to expiry.
pub(super) struct SessionThread {
    session: Session,
    pass: Pass,
    server: SocketAddr,
    commands: mpsc::UnboundedSender<Command>,
    down: watch::Receiver<Option<Down>>,
}

impl std::fmt::Debug for SessionThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionThread")
            .field("session", &self.session.id)
            .field("server", &self.server)
            .finish()
    }
}

/// Starts a thread with a client attached to the session of the pass, or to a new one.
pub(super) async fn open(
    server: &Dialled,
    pass: Option<&Pass>,
    settings: &Settings,
) -> Result<SessionThread, ConnectError> {
    let address = server.address;
    let wanted = if pass.is_some() { "resume the session" } else { "grant a session" };
    let failed = |cause: String| ConnectError::Handshake { server: address.to_string(), wanted, cause };
    if let Some(cause) = settings.unusable(server) {
        return Err(failed(cause));
    }
    let abilities =
        pass.map_or_else(|| Arc::new(Abilities::new(settings.version)), |pass| pass.abilities.clone());

    let connector = settings.connector(pass.map(|pass| &pass.info), &abilities);
    let (ready, granted) = oneshot::channel();
    let (commands, queue) = mpsc::unbounded_channel();
    let (down_tx, down) = watch::channel(None);
    let died = down_tx.clone();
    let main = serve(connector, settings.connect_string(server), ready, queue, down_tx);
    std::thread::Builder::new()
        .name("zk-session".into())
        .spawn(move || run(main, &died))
        .map_err(|error| failed(format!("no thread for the session: {error}")))?;

    let limit = settings.session_timeout.min(HANDSHAKE_TIMEOUT);
    match timeout(limit, granted).await {
        Ok(Ok(Ok((info, timeout)))) => {
            let session = Session { id: SessionId(info.id().0), timeout };
            Ok(SessionThread { session, pass: Pass { info, abilities }, server: address, commands, down })
        }
        Ok(Ok(Err(zk::Error::SessionExpired))) => Err(ConnectError::SessionExpired),
        Ok(Ok(Err(zk::Error::AuthFailed))) => Err(ConnectError::AuthFailed { server: address.to_string() }),
        Ok(Ok(Err(zk::Error::NoHosts))) => Err(failed(match settings.why_not(server).await {
            Some(cause) => cause,
            None => "it closed the connection, or was silent; is it part of a quorum?".into(),
        })),
        Ok(Ok(Err(error))) => Err(failed(error.to_string())),
        Ok(Err(_)) => Err(failed("the session thread ended".into())),
        Err(_) => Err(failed(format!("no answer within {limit:?}"))),
    }
}

/// The thread: runs `main`, and outlives whatever goes wrong in it.
///
/// The client crate takes some things for granted that a server need not keep to: it panics at an answer that is
/// shorter than it should be. Then this connection is over, and the program is not.
fn run(main: impl Future<Output = ()>, down: &watch::Sender<Option<Down>>) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        // `main` is dropped, and who waits for a session is told by that.
        Err(error) => return tracing::error!(%error, "no runtime for the session thread"),
    };
    // Nothing is used afterwards of what the panic may have left half done.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runtime.block_on(main))) {
        let said = panic.downcast_ref::<&str>().copied();
        let said =
            said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        tracing::error!(panic = said, "the ZooKeeper client has panicked: its connection is given up");
        let cause = format!("the ZooKeeper client has panicked: {said}");
        down.send_if_modified(|down| {
            let is_news = down.is_none();
            down.get_or_insert(Down::ConnectionLost(cause));
            is_news
        });
    }
}

/// A runtime that looks at `serve` after every step of any other task. So the end of a connection is
/// acted upon right after the crate has noticed it and begun to dial: before that dial can have succeeded.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build()
}

type Granted = Result<(zk::SessionInfo, Duration), zk::Error>;

/// The life of a session thread. Returns, and so ends everything on this thread, at the first sign that
/// the connection is broken: before the crate's own reconnect has sent anything.
async fn serve(
    connector: zk::Connector,
    address: String,
    mut ready: oneshot::Sender<Granted>,
    mut queue: mpsc::UnboundedReceiver<Command>,
    down: watch::Sender<Option<Down>>,
) {
    let mut connecting = pin!(connector.connect(&address));
    let client = tokio::select! {
        biased;
        // Nobody waits for this connection any more.
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
    // `state_watcher` hands out the present state as seen already (D6): look at it before waiting.
    let mut state = states.peek_state();
    if ready.send(Ok((client.session().clone(), client.session_timeout()))).is_err() {
        return;
    }

    let mut tasks = Tasks::new();
    let mut refill = interval(REFILL);
    let end = loop {
        if state != zk::SessionState::SyncConnected {
            // Also where the crate says `Expired`: that is its own clock, or the word of one server. The
            // next attempt to attach to the session gets the ensemble's.
            break Down::ConnectionLost(state.to_string());
        }
        tokio::select! {
            // The end first: what is queued behind it must not reach the crate.
            biased;
            changed = states.changed() => state = changed,
            // Then what was sent before, and the first step of what was begun last, which sends it.
            Some(()) = tasks.next(), if !tasks.is_empty() => {}
            command = queue.recv() => match command {
                Some(Command::Run(job)) => job(&client, &tasks),
                Some(Command::Close(confirm)) => {
                    queue.close();
                    // The holders of watches hear of the end before their watches fall silent.
                    down.send_replace(Some(Down::Closed));
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
                // No handle is left: the session is left to whoever attaches next, or to expiry.
                None => return,
            },
            // Where descriptors were short when the connection was made.
            _ = refill.tick() => {
                let _ = fd_reserve().fill();
            }
        }
    };
    // Answers and events that came before the end are handed over; an old server's refusal comes with it.
    let _ = unconstrained(async { while tasks.next().await.is_some() {} }).now_or_never();
    // In this order: who has seen the end can send nothing more.
    drop(queue);
    down.send_replace(Some(end));
}

/// What goes on living on the session thread after an answer: a watch.
type Afterlife = BoxFuture<'static, ()>;

impl SessionThread {
    /// Whether the server is taken to know the requests of ZooKeeper 3.6.
    pub(super) fn is_modern(&self) -> bool {
        self.pass.abilities.modern()
    }

    /// Whether it is worth asking whom the server takes us for.
    pub(super) fn can_tell_identities(&self) -> bool {
        self.pass.abilities.who_am_i()
    }

    /// Sends a verb to the session thread and returns its answer. The request is on its way when this
    /// returns, in the order of the calls: jobs run in order, and the tasks that they push are first polled
    /// in order.
    fn submit<T, F>(&self, verb: impl FnOnce(zk::Client) -> F + Send + 'static) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Option<Afterlife>), ErrorKind>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |client, tasks| {
            let verb = verb(client.clone());
            tasks.push(Box::pin(async move {
                let (result, afterlife) = match verb.await {
                    Ok((value, afterlife)) => (Ok(value), afterlife),
                    Err(error) => (Err(error), None),
                };
                // Where nobody takes the answer the watch is dropped, and the server told so.
                if let (Ok(()), Some(afterlife)) = (answer.send(result), afterlife) {
                    afterlife.await;
                }
            }));
        });
        if self.commands.send(Command::Run(job)).is_err() {
            return Box::pin(async { Err(ErrorKind::NotConnected) });
        }
        Box::pin(async move {
            // A dropped sender: the thread has ended, and the request may have been sent before.
            answered.await.unwrap_or_else(|_| Err(ErrorKind::ConnectionLost("the connection ended".into())))
        })
    }

    fn call<T, F>(&self, verb: impl FnOnce(zk::Client) -> F + Send + 'static) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, zk::Error>> + Send + 'static,
    {
        self.submit(move |client| {
            let verb = verb(client);
            async move { Ok((verb.await.map_err(errors::kind)?, None)) }
        })
    }
}

impl Transport for SessionThread {
    fn session(&self) -> Session {
        self.session
    }

    fn ticket(&self) -> Ticket {
        Ticket::new(self.pass.clone())
    }

    fn server(&self) -> String {
        self.server.to_string()
    }

    fn has_recursive_watches(&self) -> bool {
        self.pass.abilities.recursive_watches()
    }

    fn down(&self) -> watch::Receiver<Option<Down>> {
        self.down.clone()
    }

    fn create(&self, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat> {
        let (path, data) = (path.clone(), data.to_vec());
        let modern = self.pass.abilities.modern();
        self.call(move |client| async move {
            let options = create_options(mode, acl);
            let creating = client.create(path.as_str(), &data, &options);
            if modern {
                let (stat, _) = creating.await?;
                return Ok(stat_of(&stat));
            }
            // Old servers do not tell the stat: both are on their way at once.
            let looking = client.check_stat(path.as_str());
            creating.await?;
            looking.await?.as_ref().map(stat_of).ok_or(zk::Error::NoNode)
        })
    }

    fn delete(&self, path: &ZnodePath, version: Option<i32>) -> Reply<()> {
        let path = path.clone();
        self.call(move |client| async move { client.delete(path.as_str(), version).await })
    }

    fn take_over(&self, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()> {
        let (path, data) = (path.clone(), data.to_vec());
        if !self.pass.abilities.modern() {
            // The crate writes a create into a transaction in a way that only 3.5 understands. Sent
            // together, the two are carried out one after the other, with next to nothing in between.
            return self.call(move |client| async move {
                let options = create_options(CreateMode::Ephemeral, acl);
                let deleting = client.delete(path.as_str(), Some(version));
                let creating = client.create(path.as_str(), &data, &options);
                let (deleted, created) = tokio::join!(deleting, creating);
                deleted?;
                created.map(|_| ())
            });
        }
        self.call(move |client| async move {
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

    fn stat(&self, path: &ZnodePath) -> Reply<Option<Stat>> {
        let path = path.clone();
        self.call(move |client| async move {
            let found = client.check_stat(path.as_str()).await?;
            Ok(found.as_ref().map(stat_of))
        })
    }

    fn data(&self, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        let path = path.clone();
        self.call(move |client| async move {
            let (data, stat) = client.get_data(path.as_str()).await?;
            Ok((data, stat_of(&stat)))
        })
    }

    fn read_many(&self, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        let paths = paths.to_vec();
        if !self.pass.abilities.modern() {
            return self.call(move |client| async move {
                let reads: Vec<_> = paths.iter().map(|path| client.get_data(path.as_str())).collect();
                let mut readings = Vec::with_capacity(reads.len());
                for read in reads {
                    readings.push(reading(read.await)?);
                }
                Ok(readings)
            });
        }
        let abilities = self.pass.abilities.clone();
        self.call(move |client| async move {
            let commit = {
                let mut reader = client.new_multi_reader();
                for path in &paths {
                    reader.add_get_data(path.as_str())?;
                }
                reader.commit()
            };
            let results = commit.await.inspect_err(|error| {
                if *error == zk::Error::Unimplemented {
                    abilities.not_modern();
                }
            })?;
            let readings = results.into_iter().map(|result| match result {
                zk::MultiReadResult::Data { data, stat } => Ok(Ok((data, stat_of(&stat)))),
                zk::MultiReadResult::Error { err } => reading(Err(err)),
                _ => Err(zk::Error::UnexpectedError("an answer that was not asked for".into())),
            });
            readings.collect()
        })
    }

    fn set_data(&self, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat> {
        let (path, data) = (path.clone(), data.to_vec());
        self.call(move |client| async move {
            let stat = client.set_data(path.as_str(), &data, version).await?;
            Ok(stat_of(&stat))
        })
    }

    fn children(&self, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        let path = path.clone();
        self.call(move |client| async move {
            // GetChildren2: ZooKeeper keeps its serialized answers, and not those of GetChildren.
            let (names, stat) = client.get_children(path.as_str()).await?;
            Ok((names, stat_of(&stat)))
        })
    }

    fn sync(&self, path: &ZnodePath) -> Reply<()> {
        let path = path.clone();
        self.call(move |client| async move { client.sync(path.as_str()).await })
    }

    fn watch_recursive(&self, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        if !self.pass.abilities.recursive_watches() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let (path, abilities) = (path.clone(), self.pass.abilities.clone());
        self.submit(move |client| async move {
            let watching = client.watch(path.as_str(), zk::AddWatchMode::PersistentRecursive);
            let watcher = watching.await.map_err(errors::kind).inspect_err(|kind| match kind {
                ErrorKind::Unsupported => abilities.not_modern(),
                refusal if refusal.is_refusal() => abilities.no_recursive_watches(refusal),
                _ => {}
            })?;
            let (events, receiver) = mpsc::channel(EVENTS_WAITING);
            Ok((receiver, Some(Box::pin(forward(watcher, events)) as Afterlife)))
        })
    }

    fn watch_exists(&self, path: &ZnodePath) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.pass.abilities.modern();
        self.submit(move |client| async move {
            let looking = client.check_and_watch_stat(path.as_str());
            let (found, watcher) = looking.await.map_err(errors::kind)?;
            let (receiver, afterlife) = once(watcher, removable);
            Ok(((found.as_ref().map(stat_of), receiver), afterlife))
        })
    }

    fn watch_data(&self, path: &ZnodePath) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.pass.abilities.modern();
        self.submit(move |client| async move {
            let reading = client.get_and_watch_data(path.as_str());
            let (data, stat, watcher) = reading.await.map_err(errors::kind)?;
            let (receiver, afterlife) = once(watcher, removable);
            Ok(((data, stat_of(&stat), receiver), afterlife))
        })
    }

    fn watch_children(&self, path: &ZnodePath) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.pass.abilities.modern();
        self.submit(move |client| async move {
            let listing = client.get_and_watch_children(path.as_str());
            let (names, stat, watcher) = listing.await.map_err(errors::kind)?;
            let (receiver, afterlife) = once(watcher, removable);
            Ok(((names, stat_of(&stat), receiver), afterlife))
        })
    }

    fn identities(&self) -> Reply<Vec<Identity>> {
        if !self.pass.abilities.who_am_i() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let abilities = self.pass.abilities.clone();
        self.call(move |client| async move {
            let users = client.list_auth_users().await.inspect_err(|error| {
                if *error == zk::Error::Unimplemented {
                    abilities.no_who_am_i();
                }
            })?;
            let identity =
                |user: &zk::AuthUser| Identity { scheme: user.scheme().into(), user: user.user().into() };
            Ok(users.iter().map(identity).collect())
        })
    }

    fn check(&self) -> Reply<()> {
        // It needs no rights, and no znode but the one that is always there.
        self.call(|client| async move { client.check_stat("/").await.map(|_| ()) })
    }

    fn close(&self) -> BoxFuture<'static, bool> {
        let (confirm, confirmed) = oneshot::channel();
        let sent = self.commands.send(Command::Close(confirm)).is_ok();
        Box::pin(async move { sent && confirmed.await.unwrap_or(false) })
    }
}

/// Hands on the events of a persistent watcher until the connection breaks. D1: after a reconnect it
/// would be silent for ever; D6: after the session's end it would panic. So any word about the session
/// ends the stream.
async fn forward(mut watcher: zk::PersistentWatcher, events: mpsc::Sender<Event>) {
    loop {
        let event = tokio::select! {
            event = watcher.changed() => event,
            () = events.closed() => return,
        };
        if event.event_type == zk::EventType::Session {
            return;
        }
        let (Some(kind), Ok(path)) = (event_kind(event.event_type), ZnodePath::parse(&event.path)) else {
            continue;
        };
        if events.try_send(Event { kind, path }).is_err() {
            // Full: the reader is far behind, and one look at the truth is cheaper for it than all this.
            tracing::warn!(waiting = EVENTS_WAITING, "a watch is overrun and ends; its reader starts anew");
            return;
        }
    }
}

/// The receiver of the one event of a one-shot watcher, and what hands it over.
///
/// A watcher that is dropped is taken off the server. Servers before 3.5 do not know that request, and
/// cut the connection: there it stays, until it fires or the connection ends.
fn once(watcher: zk::OneshotWatcher, removable: bool) -> (oneshot::Receiver<EventKind>, Option<Afterlife>) {
    let (mut fired, receiver) = oneshot::channel();
    let afterlife = async move {
        let event = tokio::select! {
            event = watcher.changed() => event,
            () = fired.closed(), if removable => return,
        };
        if let Some(kind) = event_kind(event.event_type) {
            let _ = fired.send(kind);
        }
    };
    (receiver, Some(Box::pin(afterlife)))
}

/// What reading one znode of several led to, unless it says that all is over.
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
    fn a_panic_on_the_thread_is_a_lost_connection_that_says_so() {
        let literal = || -> BoxFuture<'static, ()> { Box::pin(async { panic!("short body") }) };
        let formatted = || -> BoxFuture<'static, ()> { Box::pin(async { panic!("index {}", 3 + 4) }) };
        for (said, main) in [("short body", literal()), ("index 7", formatted())] {
            let (down, ended) = watch::channel(None);
            run(main, &down);
            let ended = ended.borrow().clone();
            let Some(Down::ConnectionLost(cause)) = ended else { panic!("{ended:?}") };
            assert!(cause.contains("has panicked") && cause.contains(said), "{cause}");
        }
        let (down, ended) = watch::channel(Some(Down::Closed));
        run(literal(), &down);
        assert_eq!(*ended.borrow(), Some(Down::Closed), "the first word stands");
    }
}
