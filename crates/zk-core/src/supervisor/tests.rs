//! The supervisor on a scripted ensemble, in paused time.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;
use zk_testing::poll_at_most;

use super::*;
use crate::error::ErrorKind;
use crate::path::ZnodePath;
use crate::session::SessionId;
use crate::sources::Sources;
use crate::transport::{Acl, BoxFuture, CreateMode, Event, EventKind, Identity, Reading, Reply, Stat, Turn};
use crate::zk::Zk;

mod ends;

const TIMEOUT: Duration = Duration::from_secs(9);

/// The scripted reply of the ensemble to one attempt to connect.
enum ConnectReply {
    /// It grants or resumes this session.
    Session(i64),
    /// It grants this session after some time.
    SessionAfter(i64, Duration),
    /// The session has expired.
    Expired,
    /// It has a bug.
    Panic,
}

/// An ensemble that replies as scripted, and is unreachable when the script is at its end.
#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<ConnectReply>>,
    /// Every attempt: its time, and the session of its ticket.
    attempts: Mutex<Vec<(Instant, Option<i64>)>>,
    connections: Mutex<Vec<Arc<Wire>>>,
    /// The session timeout that it grants, if that is not the requested one.
    granted: Mutex<Option<Duration>>,
}

/// One scripted connection.
#[derive(Debug)]
struct Wire {
    session: i64,
    timeout: Duration,
    down: latest::Sender<Option<TransportEnd>>,
    closed: Mutex<bool>,
    alive: Mutex<bool>,
    /// The reads, which wait until the test replies.
    queue: Mutex<Vec<QueuedRead>>,
}

/// A read that is on its way, with the turn that it keeps.
type QueuedRead = (Turn, oneshot::Sender<Result<(Vec<u8>, Stat), ErrorKind>>);

impl Wire {
    /// Replies to all reads in the queue, and returns how many there were.
    fn move_on(&self) -> usize {
        let queue = std::mem::take(&mut *self.queue.lock().unwrap());
        let count = queue.len();
        for (_turn, reply) in queue {
            // The caller may have given up.
            let _ = reply.send(Ok(Default::default()));
        }
        count
    }
}

impl Script {
    fn reply(self: &Arc<Self>, replies: impl IntoIterator<Item = ConnectReply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    fn cut(&self) {
        let connections = self.connections.lock().unwrap();
        connections.last().unwrap().down.send(Some(TransportEnd::ConnectionLost("cut".into())));
    }

    fn attempts(&self) -> Vec<(Instant, Option<i64>)> {
        self.attempts.lock().unwrap().clone()
    }
}

impl Ensemble for Script {
    fn connect(
        &self,
        ticket: Option<ResumeTicket>,
    ) -> BoxFuture<'_, Result<Arc<dyn Transport>, ConnectError>> {
        let asked = ticket.and_then(|ticket| ticket.get::<i64>().copied());
        self.attempts.lock().unwrap().push((Instant::now(), asked));
        let reply = self.replies.lock().unwrap().pop_front();
        Box::pin(async move {
            let reply = match reply {
                Some(ConnectReply::SessionAfter(session, after)) => {
                    sleep(after).await;
                    Some(ConnectReply::Session(session))
                }
                reply => reply,
            };
            match reply {
                Some(ConnectReply::SessionAfter(..)) => unreachable!("replaced above"),
                Some(ConnectReply::Panic) => panic!("as scripted"),
                None => Err(ConnectError::Unreachable(vec!["the script is at its end".into()])),
                Some(ConnectReply::Expired) => Err(ConnectError::SessionExpired),
                Some(ConnectReply::Session(session)) => {
                    let wire = Arc::new(Wire {
                        session,
                        timeout: self.granted.lock().unwrap().unwrap_or(TIMEOUT),
                        down: latest::Sender::new(None),
                        closed: Mutex::new(false),
                        alive: Mutex::new(true),
                        queue: Mutex::default(),
                    });
                    self.connections.lock().unwrap().push(wire.clone());
                    Ok(wire as Arc<dyn Transport>)
                }
            }
        })
    }

    fn name(&self) -> String {
        "script".into()
    }

    fn requested_timeout(&self) -> Duration {
        TIMEOUT
    }
}

fn unscripted<T>() -> Reply<T> {
    Box::pin(async { Err(ErrorKind::NotConnected) })
}

impl Transport for Wire {
    fn session(&self) -> Session {
        Session { id: SessionId(self.session), timeout: self.timeout }
    }

    fn ticket(&self) -> ResumeTicket {
        ResumeTicket::new(self.session)
    }

    fn server(&self) -> String {
        "script".into()
    }

    fn has_recursive_watches(&self) -> bool {
        true
    }

    fn down(&self) -> latest::Receiver<Option<TransportEnd>> {
        self.down.subscribe()
    }

    fn create(&self, _: Turn, _: &ZnodePath, _: &[u8], _: CreateMode, _: Acl) -> Reply<Stat> {
        unscripted()
    }

    fn delete(&self, _: Turn, _: &ZnodePath, _: Option<i32>) -> Reply<()> {
        unscripted()
    }

    fn take_over(&self, _: Turn, _: &ZnodePath, _: i32, _: &[u8], _: Acl) -> Reply<()> {
        unscripted()
    }

    fn write_and_delete(&self, _: Turn, _: &ZnodePath, _: i32, _: &[u8]) -> Reply<()> {
        unscripted()
    }

    /// Gets no reply, so that the deadline of the operation ends it.
    fn stat(&self, _: Turn, _: &ZnodePath) -> Reply<Option<Stat>> {
        Box::pin(std::future::pending())
    }

    fn data(&self, turn: Turn, _: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        let (reply, replied) = oneshot::channel();
        self.queue.lock().unwrap().push((turn, reply));
        Box::pin(async { replied.await.unwrap_or(Err(ErrorKind::NotConnected)) })
    }

    fn read_many(&self, _: Turn, _: &[ZnodePath]) -> Reply<Vec<Reading>> {
        unscripted()
    }

    fn set_data(&self, _: Turn, _: &ZnodePath, _: &[u8], _: Option<i32>) -> Reply<Stat> {
        unscripted()
    }

    fn children(&self, _: Turn, _: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        unscripted()
    }

    fn sync(&self, _: Turn, _: &ZnodePath) -> Reply<()> {
        unscripted()
    }

    fn watch_recursive(&self, _: Turn, _: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        unscripted()
    }

    fn watch_exists(&self, _: Turn, _: &ZnodePath) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        unscripted()
    }

    fn watch_data(&self, _: Turn, _: &ZnodePath) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        unscripted()
    }

    fn watch_children(
        &self,
        _: Turn,
        _: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        unscripted()
    }

    fn identities(&self, _: Turn) -> Reply<Vec<Identity>> {
        unscripted()
    }

    fn check(&self) -> Reply<()> {
        let alive = *self.alive.lock().unwrap();
        Box::pin(async move { if alive { Ok(()) } else { std::future::pending().await } })
    }

    fn close(&self) -> BoxFuture<'static, bool> {
        *self.closed.lock().unwrap() = true;
        self.down.send(Some(TransportEnd::Closed));
        Box::pin(async { true })
    }
}

fn start(replies: impl IntoIterator<Item = ConnectReply>) -> (Arc<Script>, Zk) {
    let script = Arc::new(Script::default());
    script.reply(replies);
    (script.clone(), Zk::start_on(script, Sources::seeded(7)))
}

async fn reach(zk: &Zk, wanted: impl FnMut(&State) -> bool) -> State {
    let found = tokio::time::timeout(Duration::from_secs(3600), zk.states().wait_for(wanted)).await;
    found.unwrap_or_else(|_| panic!("the state is {:?}", zk.state())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_link_is_lost_one_session_timeout_after_it_was_suspended_and_still_resumes_the_session() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    reach(&zk, State::is_connected).await;
    script.cut();
    let suspended = reach(&zk, |state| state.phase == Phase::Suspended).await;
    let lost = reach(&zk, |state| state.phase == Phase::Lost).await;
    assert_eq!(lost.since - suspended.since, TIMEOUT);
    assert_eq!((lost.epoch, lost.session), (1, suspended.session));

    tokio::time::sleep(10 * TIMEOUT).await;
    script.reply([ConnectReply::Session(1)]);
    let again = reach(&zk, State::is_connected).await;
    assert_eq!((again.epoch, again.reconnects, again.session), (1, 1, suspended.session));
    assert!(
        script.attempts()[1..].iter().all(|(_, asked)| *asked == Some(1)),
        "every attempt is for the same session"
    );
}

#[tokio::test(start_paused = true)]
async fn attempts_continue_for_ever_and_are_never_further_apart_than_a_second() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    reach(&zk, State::is_connected).await;
    script.cut();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let attempts = script.attempts();
    let waits: Vec<_> = attempts[1..].windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(1_001)), "{:?}", waits.iter().max());
    assert!(attempts.len() > 3_600, "{} attempts in an hour", attempts.len());
    assert!(attempts.len() < 10_000, "{} attempts in an hour", attempts.len());
}

#[tokio::test(start_paused = true)]
async fn attempts_are_never_further_apart_than_a_third_of_the_negotiated_session_timeout() {
    let (script, zk) = start([]);
    let granted = Duration::from_millis(1_200);
    *script.granted.lock().unwrap() = Some(granted);
    script.reply([ConnectReply::Session(1)]);
    reach(&zk, State::is_connected).await;
    script.cut();
    let before = script.attempts().len();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let attempts = script.attempts();
    let mut waits = attempts[before..].windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(waits.all(|wait| wait <= granted / 3 + Duration::from_millis(1)));
}

#[tokio::test(start_paused = true)]
async fn a_new_session_follows_an_expired_one_without_a_wait() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    reach(&zk, State::is_connected).await;
    script.reply([ConnectReply::Expired, ConnectReply::Session(2)]);
    script.cut();
    let state = reach(&zk, |state| state.epoch == 2).await;
    assert_eq!((state.phase, state.session.unwrap().id), (Phase::Connected, SessionId(2)));
    let attempts = script.attempts();
    let asked: Vec<_> = attempts.iter().map(|(_, asked)| *asked).collect();
    assert_eq!(asked, [None, Some(1), None]);
    assert!(attempts[2].0 - attempts[1].0 < Duration::from_millis(5), "no wait between the two attempts");
}

#[tokio::test(start_paused = true)]
async fn a_flapping_server_does_not_reset_the_backoff() {
    let (script, zk) = start([]);
    for _ in 0..40 {
        script.reply([ConnectReply::Session(1)]);
        reach(&zk, State::is_connected).await;
        script.cut();
        reach(&zk, |state| !state.is_connected()).await;
    }
    let attempts = script.attempts();
    // If each success reset the backoff, forty rounds would take about a second.
    assert!(attempts[attempts.len() - 1].0 - attempts[0].0 > Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_reply_is_replaced() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    let connection = zk.connected().await.unwrap();
    tokio::time::sleep(10 * TIMEOUT).await;
    assert!(zk.state().is_connected(), "the connection replies");
    script.reply([ConnectReply::Session(1)]);
    *script.connections.lock().unwrap()[0].alive.lock().unwrap() = false;
    let state = reach(&zk, |state| state.reconnects == 1).await;
    assert_eq!(state.epoch, 1);
    let error = connection.sync(&ZnodePath::root()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotConnected);
}

#[tokio::test(start_paused = true)]
async fn an_expiry_without_a_session_is_retried_with_backoff() {
    let (script, zk) = start((0..200).map(|_| ConnectReply::Expired));
    let started = Instant::now();
    script.reply([ConnectReply::Session(1)]);
    reach(&zk, State::is_connected).await;
    assert!(started.elapsed() > Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn operations_on_a_connection_of_an_ended_session_fail_with_session_over() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    let connection = zk.connected().await.unwrap();
    script.reply([ConnectReply::Expired, ConnectReply::Session(2)]);
    script.cut();
    reach(&zk, |state| state.epoch == 2).await;
    let error = connection.sync(&ZnodePath::root()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::SessionOver);
    let connection = zk.connected().await.unwrap();
    zk.close(Duration::MAX).await.unwrap();
    assert_eq!(connection.sync(&ZnodePath::root()).await.unwrap_err().outcome(), Outcome::SessionOver);
}

#[test]
fn a_runtime_that_ends_before_the_link_closes_the_link() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (script, zk, connection) = first.block_on(async {
        let (script, zk) = start([ConnectReply::Session(1)]);
        let connection = zk.connected().await.unwrap();
        (script, zk, connection)
    });
    drop(first);
    assert!(zk.connection().is_none());
    let lingering = runtime().block_on(zk.close(Duration::from_secs(1))).unwrap_err();
    assert_eq!(lingering.session, SessionId(1));
    let wire = script.connections.lock().unwrap().pop().unwrap();
    // A session thread would go on pinging for a transport that is still referenced.
    assert_eq!(
        Arc::strong_count(&wire),
        1,
        "neither the handle nor the connection keeps the transport alive"
    );
    drop(wire);
    assert!(connection.has_ended() && connection.server().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_operation_without_a_reply_ends_at_its_deadline_with_an_unknown_outcome() {
    let (_script, zk) = start([ConnectReply::Session(1)]);
    let connection = zk.connected().await.unwrap();
    let started = Instant::now();
    let root = ZnodePath::root();
    let ended = tokio::time::timeout(10 * TIMEOUT, connection.stat(&root)).await;
    let error = ended.expect("the deadline").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Timeout(TIMEOUT * 3 / 4));
    assert!(started.elapsed() >= TIMEOUT * 3 / 4);
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test(start_paused = true)]
async fn operations_beyond_1024_in_flight_wait_until_their_deadline_and_are_never_sent_after_it() {
    let (_script, zk) = start([ConnectReply::Session(1)]);
    let connection = zk.connected().await.unwrap();
    let started = Instant::now();
    let root = ZnodePath::root();
    let operations = (0..3_000).map(|_| connection.stat(&root));
    let errors = futures_util::future::join_all(operations).await.into_iter().map(|done| done.unwrap_err());
    let (sent, waited): (Vec<_>, Vec<_>) = errors.partition(|error| error.outcome() == Outcome::Unknown);
    assert_eq!((sent.len(), waited.len()), (1_024, 3_000 - 1_024));
    assert!(
        waited.iter().all(|error| *error.kind() == ErrorKind::Busy && error.outcome() == Outcome::NotDone)
    );
    assert!(started.elapsed() < TIMEOUT * 3 / 4 + Duration::from_millis(5), "{:?}", started.elapsed());
    // Their turns are free again.
    assert_eq!(connection.sync(&root).await.unwrap_err().kind(), &ErrorKind::NotConnected, "as scripted");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_gives_back_its_turn_when_its_request_has_left_the_queue() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    let (connection, root) = (zk.connected().await.unwrap(), ZnodePath::root());
    let wire = script.connections.lock().unwrap()[0].clone();
    for round in 0..2 {
        for _ in 0..5_000 {
            assert!(
                poll_at_most(1, unconstrained(connection.data(&root))).await.is_none(),
                "nothing replies"
            );
        }
        assert_eq!(wire.queue.lock().unwrap().len(), 1_024, "round {round}");
        let started = Instant::now();
        let error = connection.data(&root).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Busy, Outcome::NotDone));
        assert!(started.elapsed() < TIMEOUT * 3 / 4 + Duration::from_millis(5), "{:?}", started.elapsed());
        assert_eq!(wire.move_on(), 1_024);
        let (read, moved) = tokio::join!(connection.data(&root), async { wire.move_on() });
        assert_eq!((read.unwrap().0, moved), (Vec::new(), 1));
    }
}

/// The operations that are in flight on an earlier connection may have a later deadline.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_ends_at_the_deadline_of_the_operation() {
    let (script, zk) = start([]);
    *script.granted.lock().unwrap() = Some(Duration::from_secs(40));
    script.reply([ConnectReply::Session(1)]);
    let (before, root) = (zk.connected().await.unwrap(), ZnodePath::root());
    let mut in_flight = tokio::task::JoinSet::new();
    for _ in 0..1_024 {
        let (before, root) = (before.clone(), root.clone());
        in_flight.spawn(async move { before.stat(&root).await });
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    *script.granted.lock().unwrap() = Some(Duration::from_secs(2));
    script.reply([ConnectReply::Expired, ConnectReply::Session(2)]);
    script.cut();
    reach(&zk, |state| state.epoch == 2).await;
    let (connection, started) = (zk.connected().await.unwrap(), Instant::now());
    assert_eq!(connection.sync(&root).await.unwrap_err().kind(), &ErrorKind::Busy);
    assert!(started.elapsed() < Duration::from_millis(1_510), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn close_of_a_suspended_link_resumes_the_session_or_reports_that_it_lingers() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    reach(&zk, State::is_connected).await;
    script.cut();
    reach(&zk, |state| state.phase == Phase::Suspended).await;
    script.reply([ConnectReply::Session(1)]);
    zk.close(Duration::from_secs(5)).await.unwrap();
    assert!(*script.connections.lock().unwrap().last().unwrap().closed.lock().unwrap());

    let (script, zk) = start([ConnectReply::Session(1)]);
    reach(&zk, State::is_connected).await;
    script.cut();
    reach(&zk, |state| state.phase == Phase::Suspended).await;
    let started = Instant::now();
    let lingering = zk.close(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!((lingering.session, lingering.up_to), (SessionId(1), TIMEOUT));
    assert_eq!(started.elapsed(), Duration::from_secs(5));

    let (_script, zk) = start([]);
    let started = Instant::now();
    zk.close(Duration::from_secs(5)).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO, "there is no session to close");
}

#[tokio::test(start_paused = true)]
async fn close_closes_a_session_that_is_granted_meanwhile() {
    let (script, zk) = start([ConnectReply::SessionAfter(1, Duration::from_secs(2))]);
    sleep(Duration::from_secs(1)).await;
    zk.close(Duration::from_secs(5)).await.unwrap();
    assert!(*script.connections.lock().unwrap().last().unwrap().closed.lock().unwrap());

    // But it does not wait beyond its own limit.
    let (_script, zk) = start([ConnectReply::SessionAfter(1, Duration::from_secs(60))]);
    sleep(Duration::from_secs(1)).await;
    let started = Instant::now();
    zk.close(Duration::from_secs(5)).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes_the_session() {
    let (script, zk) = start([ConnectReply::Session(1)]);
    let connection = zk.connected().await.unwrap();
    drop(zk);
    let wire = script.connections.lock().unwrap()[0].clone();
    let closed = async || *wire.closed.lock().unwrap();
    zk_testing::holds_within(
        "the session is closed, although a connection exists",
        Duration::from_secs(1),
        closed,
    )
    .await
    .unwrap();
    drop(connection);
}
