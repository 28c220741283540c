//! The state machine that keeps one ephemeral znode in place.
//!
//! ```text
//!            connected            nothing there: create          (a create comes first in a new session)
//!  Unlinked ──────────▶ Looking ◀─┐ stale one of ours: take over
//!      ▲  │               │ │ │ └──┘ ours, other data: write
//!      │  │ link down     │ │ └───▶ Rival     somebody else's; its watch, or the wait ─▶ Looking
//!      │  │(from anywhere)│ └─────▶ Pausing   a step failed; after the wait ─▶ Looking
//!      └──│───────────────┴───────▶ Holding   ours; its watch, or an audit that differs ─▶ Looking
//!         └───────────────────────▶ Holding   where nothing below the root has moved meanwhile
//!
//!  deregistered: Looking deletes what is ours ─▶ Gone        link closed ─▶ Closed
//! ```
//!
//! It is level-triggered: whatever happened, the next step is to look, and to act on what is there. So a
//! lost reply needs no case of its own: on the same connection a look comes after the lost request in
//! order, and on a new one the old connection's requests are over.
//!
//! What all keepers of a registrar need, the [`root_watch`](crate::root_watch) does once: keepers stand on a
//! [`ReadyConnection`], not on a bare connection.

mod step;
mod write_backoff;

use std::sync::Arc;
use std::time::Duration;

use instance::Owner;
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument, debug, info_span};
use zk_core::time::jittered;
use zk_core::{
    Backoff, CloseReason, Connection, Error, EventKind, OneShot, Phase, SessionId, Stat, ZnodePath, Zxid,
};

use crate::log_limiter::limited;
use crate::notify::{Versions, ZnodeNotify};
use crate::registrar::Shared;
use crate::registration::{Desired, Registration};
use crate::root_watch::{Readiness, ReadyConnection, Watched};
use crate::status::{Holder, Status};
use write_backoff::WriteBackoff;

/// Where more than this many are in trouble at once, each waits longer in proportion.
const MANY_IN_TROUBLE: u32 = 500;
/// The first wait for a rival, where its watch says nothing; it doubles up to the audit interval.
const RIVAL_FIRST: Duration = Duration::from_secs(1);
/// A znode that nobody has touched for so long is answered for at once again.
const UNTOUCHED: Duration = Duration::from_secs(10);

/// Where the keeper stands. Every variant says what holds while it is in it.
enum Stage {
    /// There is no connection.
    Unlinked,
    /// What is there is unknown. `sync` after a write that met something else than the look before: the
    /// server may lag behind what we know.
    Looking { ready: Arc<ReadyConnection>, sync: bool },
    /// The znode is ours and as it should be, and any change of it is heard of.
    Holding { ready: Arc<ReadyConnection>, watch: Watch, stat: Stat },
    /// The name is somebody else's, and its end is heard of.
    Rival { ready: Arc<ReadyConnection>, watch: Watch, holder: Holder },
    /// A step failed on a connection that still stands.
    Pausing { ready: Arc<ReadyConnection> },
    /// Deregistered and gone.
    Gone,
    /// The link is closed.
    Closed,
}

/// The znode's own watch. `None` where one watch serves all: the notify tells.
type Watch = Option<OneShot>;

/// What a look, and the act after it, led to.
enum Next {
    Hold(Watch, Stat),
    Look {
        sync: bool,
    },
    /// Somebody writes over our data again and again.
    Later,
    Yield(Watch, Holder),
    Gone,
}

/// What a registration is the registration of.
pub(crate) struct Name {
    pub(crate) path: ZnodePath,
    pub(crate) notify: Arc<ZnodeNotify>,
    pub(crate) owner: Owner,
    /// The caller holds the listening socket.
    pub(crate) vouched: bool,
}

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    readiness: watch::Receiver<Readiness>,
    path: ZnodePath,
    notify: Arc<ZnodeNotify>,
    /// What the notify has told that is accounted for.
    known: Versions,
    owner: Owner,
    vouched: bool,
    desired: watch::Receiver<Desired>,
    status: watch::Sender<Status>,
    /// The session in which a create was sent last: a znode of ours may stand.
    attempted: Option<u64>,
    /// The session in which the znode was known to stand last.
    stood: Option<u64>,
    /// We have held the name: it is not ours by place any more.
    held_before: bool,
    /// What was held when the connection ended.
    held: Option<Held>,
    /// The znode that we know to have created.
    created: Option<Zxid>,
    /// The data that we know to be on the znode.
    written: Option<Written>,
    /// Another's data was written over since the znode was held last.
    mended: bool,
    /// Writes that ended the connection.
    write_backoff: WriteBackoff,
    pause: Backoff,
    rival: Backoff,
    touched: Backoff,
}

/// A znode that stood under a shared watch.
struct Held {
    ready: u64,
    epoch: u64,
    stat: Stat,
}

/// A write of ours.
struct Written {
    mzxid: Zxid,
    session: SessionId,
    data: Arc<[u8]>,
}

impl Written {
    fn by(connection: &Connection, stat: &Stat, data: &Arc<[u8]>) -> Self {
        Self { mzxid: stat.mzxid, session: connection.session().id, data: data.clone() }
    }
}

impl Keeper {
    /// Starts the task that keeps the znode. It ends when the registration is deregistered or dropped,
    /// and the znode gone, or when the link is closed.
    pub(crate) fn spawn(shared: Arc<Shared>, name: Name, data: Vec<u8>) -> Registration {
        let Name { path, notify, owner, vouched } = name;
        let (desired_tx, desired) = watch::channel(Desired::Present(data.into()));
        let (status, status_rx) = watch::channel(Status::Pending { trouble: None });
        let registration = Registration {
            shared: shared.clone(),
            path: path.clone(),
            owner: owner.clone(),
            desired: desired_tx,
            status: status_rx,
        };
        let rival = Backoff::new(RIVAL_FIRST, shared.config.audit_interval().max(RIVAL_FIRST));
        let span = info_span!("keeper", %path);
        shared.context.metrics.enter(&status.borrow());
        let keeper = Self {
            readiness: shared.readiness(),
            shared,
            path,
            known: notify.versions(),
            notify,
            owner,
            vouched,
            desired,
            status,
            attempted: None,
            stood: None,
            held_before: false,
            held: None,
            created: None,
            written: None,
            mended: false,
            write_backoff: WriteBackoff::default(),
            pause: Backoff::default(),
            rival,
            touched: Backoff::default(),
        };
        tokio::spawn(keeper.run().instrument(span));
        registration
    }

    async fn run(mut self) {
        let mut stage = Stage::Unlinked;
        loop {
            stage = match stage {
                Stage::Unlinked => self.await_ready().await,
                Stage::Looking { ready, sync } => self.look(ready, sync).await,
                Stage::Holding { ready, watch, stat } => self.hold(ready, watch, stat).await,
                Stage::Rival { ready, watch, holder } => self.yield_to_rival(ready, watch, holder).await,
                Stage::Pausing { ready } => self.pause(ready).await,
                Stage::Gone => return self.finish(Status::Deregistered),
                Stage::Closed => {
                    let clean = self.shared.zk.state().phase == Phase::Closed(CloseReason::Clean);
                    let gone = clean || self.attempted.is_none();
                    return self.finish(if gone { Status::Deregistered } else { Status::Abandoned });
                }
            }
        }
    }

    async fn await_ready(&mut self) -> Stage {
        loop {
            if self.attempted.is_none() && *self.desired.borrow_and_update() == Desired::Absent {
                // Nothing of ours can stand: there is nothing to wait for.
                return Stage::Gone;
            }
            // An error means that nobody looks after it any more: the link is closed, or the runtime of the
            // first registration gone, and the link with it.
            if self.readiness.has_changed().is_err() {
                return Stage::Closed;
            }
            let readiness = self.readiness.borrow_and_update().clone();
            match readiness {
                Readiness::Ready(ready) if !ready.connection.has_ended() => return self.arrive(ready),
                Readiness::Closed => return Stage::Closed,
                Readiness::Troubled(trouble) if self.is_pending() => {
                    self.report(Status::Pending { trouble: Some(trouble) });
                }
                Readiness::Troubled(_) => {}
                Readiness::Unlinked | Readiness::Ready(_) => {
                    self.unlinked();
                }
            }
            tokio::select! {
                () = changed(&mut self.desired) => {}
                // An error is seen above.
                _ = self.readiness.changed() => {}
            }
        }
    }

    /// On a new ready: holds on, where it is certain that nothing has changed, or looks.
    fn arrive(&mut self, ready: Arc<ReadyConnection>) -> Stage {
        match self.held.take() {
            Some(held)
                if ready.confirms(held.ready)
                    && held.epoch == ready.connection.epoch()
                    && self.notify.versions() == self.known
                    // Nor is anything else wanted meanwhile.
                    && !self.desired.has_changed().unwrap_or(true) =>
            {
                self.report_registered(&ready, &held.stat);
                Stage::Holding { ready, watch: None, stat: held.stat }
            }
            _ => Stage::Looking { ready, sync: false },
        }
    }

    async fn look(&mut self, ready: Arc<ReadyConnection>, sync: bool) -> Stage {
        let Some(ready) = self.latest(ready).await else {
            return Stage::Unlinked;
        };
        let wanted = self.desired.borrow_and_update().clone();
        let mut desired = self.desired.clone();
        let next = tokio::select! {
            // What is dropped here is derived anew: requests under way come before the next look.
            () = changed(&mut desired) => return Stage::Looking { ready, sync },
            next = self.step(&ready, sync, &wanted) => next,
        };
        match next {
            Ok(Next::Look { sync }) => Stage::Looking { ready, sync },
            Ok(Next::Later) => {
                let wait = self.touched.next_wait();
                self.look_after(ready, wait).await
            }
            Ok(Next::Gone) => Stage::Gone,
            Ok(Next::Hold(watch, stat)) => {
                self.pause = Backoff::default();
                self.write_backoff.answered();
                self.mended = false;
                self.rival = Backoff::new(RIVAL_FIRST, self.rival.cap());
                self.held_before = true;
                self.stood = Some(ready.connection.epoch());
                self.report_registered(&ready, &stat);
                Stage::Holding { ready, watch, stat }
            }
            Ok(Next::Yield(watch, holder)) => {
                self.report(Status::Conflict(holder.clone()));
                Stage::Rival { ready, watch, holder }
            }
            Err(_) if ready.connection.has_ended() => self.unlinked(),
            Err(trouble) => {
                self.shared.context.metrics.failed(&trouble);
                self.report(Status::Pending { trouble: Some(trouble) });
                Stage::Pausing { ready }
            }
        }
    }

    /// The ready to take a step on: this one, or a later one of the same connection. `None` if the link
    /// is down.
    async fn latest(&mut self, mut ready: Arc<ReadyConnection>) -> Option<Arc<ReadyConnection>> {
        loop {
            let readiness = self.readiness.borrow().clone();
            match readiness {
                Readiness::Ready(later) if is_same(&later.connection, &ready.connection) => ready = later,
                // It is being made anew, or its end is about to be noticed: as long as it works, it is good.
                _ => {}
            }
            let needs_shared_watch = self.shared.context.names.need_shared_watch();
            if !(needs_shared_watch && ready.watched == Watched::Own { always: false }) {
                return Some(ready);
            }
            // One watch for all is on its way.
            tokio::select! {
                () = ready.connection.ended() => {
                    self.unlinked();
                    return None;
                }
                moved = self.readiness.changed() => if moved.is_err() { return None },
            }
        }
    }

    async fn hold(&mut self, ready: Arc<ReadyConnection>, mut watch: Watch, stat: Stat) -> Stage {
        let since = Instant::now();
        let interval = self.shared.audit_interval(watch.is_none());
        // They that came together are not audited together, from the first time on.
        let mut wait = interval.mul_f64(rand::rng().random_range(0.25..1.25));
        let event = loop {
            let audited = tokio::select! {
                () = changed(&mut self.desired) => return Stage::Looking { ready, sync: false },
                () = ready.connection.ended() => return self.let_go(&ready, &watch, stat),
                moved = self.readiness.changed(), if watch.is_none() => {
                    let readiness = self.readiness.borrow_and_update().clone();
                    match readiness {
                        Readiness::Ready(same) if same.number == ready.number && moved.is_ok() => continue,
                        // The shared watch has ended: see what comes after it.
                        _ => return self.let_go(&ready, &watch, stat),
                    }
                }
                event = touched(&mut watch, &self.notify, self.known) => break event,
                audited = audit(&ready.connection, &self.path, wait) => audited,
            };
            wait = jittered(interval);
            match audited {
                Ok(Some(now)) if is_untouched(&now, &stat) => debug!("audit: in place"),
                Ok(_) => {
                    limited!(self.shared.context.log, warn, "audit: not as it should be, and no watch told");
                    return Stage::Looking { ready, sync: false };
                }
                // What was true is not known any more: find out.
                Err(error) => {
                    debug!(%error, "audit failed");
                    return Stage::Looking { ready, sync: false };
                }
            }
        };
        let Some(event) = event else {
            return self.unlinked();
        };
        limited!(self.shared.context.log, info, ?event, "the znode was touched");
        if event == EventKind::Deleted {
            // Its turn to be made anew may be a while off.
            self.pending();
        }
        if since.elapsed() > UNTOUCHED {
            self.touched = Backoff::default();
        }
        // Who writes over our data again and again is answered ever more slowly; a deletion at once.
        let wait = if event == EventKind::DataChanged { self.touched.next_wait() } else { Duration::ZERO };
        self.look_after(ready, wait).await
    }

    /// The ready of a znode that is held is gone. If the shared watch stood since before it was looked at,
    /// it may be confirmed without another look.
    fn let_go(&mut self, ready: &ReadyConnection, watch: &Watch, stat: Stat) -> Stage {
        if watch.is_none() {
            self.held = Some(Held { ready: ready.number, epoch: ready.connection.epoch(), stat });
        }
        if ready.connection.has_ended() { self.unlinked() } else { Stage::Unlinked }
    }

    async fn yield_to_rival(
        &mut self,
        ready: Arc<ReadyConnection>,
        mut watch: Watch,
        holder: Holder,
    ) -> Stage {
        let wait = self.rival.next_wait().max(RIVAL_FIRST / 2);
        limited!(
            self.shared.context.log,
            warn,
            %holder,
            look_again_within = ?wait,
            "the name is somebody else's"
        );
        let event = tokio::select! {
            () = changed(&mut self.desired) => return Stage::Looking { ready, sync: false },
            () = ready.connection.ended() => return self.unlinked(),
            // The shared watch has ended, or there is one now.
            moved = self.readiness.changed() => return match moved {
                Ok(()) => Stage::Looking { ready, sync: false },
                Err(_) => Stage::Unlinked,
            },
            heard = timeout(wait, touched(&mut watch, &self.notify, self.known)) => match heard {
                Ok(Some(event)) => event,
                Ok(None) => return self.unlinked(),
                Err(_) => return Stage::Looking { ready, sync: false },
            },
        };
        // A rival that writes its data is no reason to hurry, and none to log each time.
        let wait = if event == EventKind::DataChanged { RIVAL_FIRST / 2 } else { Duration::ZERO };
        self.look_after(ready, wait).await
    }

    /// Looks again after a wait, or at once where something else is wanted meanwhile.
    async fn look_after(&mut self, ready: Arc<ReadyConnection>, wait: Duration) -> Stage {
        tokio::select! {
            () = changed(&mut self.desired) => {}
            () = ready.connection.ended() => return self.unlinked(),
            () = sleep(wait) => {}
        }
        Stage::Looking { ready, sync: false }
    }

    async fn pause(&mut self, ready: Arc<ReadyConnection>) -> Stage {
        let context = self.shared.context.metrics.pending() / MANY_IN_TROUBLE;
        let wait = self.write_backoff.left().unwrap_or_else(|| self.pause.next_wait() * (context + 1));
        self.look_after(ready, wait).await
    }

    /// The link is down: what was true is unconfirmed now, and nothing else changed.
    fn unlinked(&self) -> Stage {
        let status = self.status.borrow().clone();
        match status {
            Status::Registered { .. } => self.report(Status::Unconfirmed),
            // Whether the rival is still there is not known either.
            Status::Conflict(_) => self.report(Status::Pending { trouble: None }),
            _ => {}
        }
        Stage::Unlinked
    }

    /// The name is free again before anybody hears of the end.
    fn finish(&self, end: Status) {
        self.shared.context.names.release(&self.path);
        self.report(end);
    }

    /// It is being worked on; what stood in the way is kept until it is known to be overcome.
    fn pending(&self) {
        if !self.is_pending() {
            self.report(Status::Pending { trouble: None });
        }
    }

    fn is_pending(&self) -> bool {
        matches!(*self.status.borrow(), Status::Pending { .. })
    }

    fn report_registered(&self, ready: &ReadyConnection, stat: &Stat) {
        let session = ready.connection.session().id;
        self.report(Status::Registered { czxid: stat.czxid, session });
    }

    /// The one place where the status changes, and where that is logged and counted.
    fn report(&self, now: Status) {
        let log = &self.shared.context.log;
        self.status.send_if_modified(|status| {
            if *status == now {
                return false;
            }
            match &now {
                Status::Registered { czxid, session } => limited!(log, info, %czxid, %session, "registered"),
                Status::Pending { trouble: Some(trouble) } => {
                    limited!(log, warn, %trouble, "not registered")
                }
                Status::Pending { trouble: None } => limited!(log, info, "registering"),
                Status::Unconfirmed => limited!(log, info, "unconfirmed: the link is down"),
                Status::Conflict(holder) => debug!(%holder, "conflict"),
                Status::Deregistered => limited!(log, info, "deregistered"),
                Status::Abandoned => {
                    limited!(log, warn, "the link was closed; the znode goes with its session");
                }
            }
            self.shared.context.metrics.moved(status, &now);
            *status = now;
            true
        });
    }
}

/// However the task ends, nobody may go on believing in it, and the name is free again.
impl Drop for Keeper {
    fn drop(&mut self) {
        let finished = self.status.borrow().is_final();
        if !finished {
            self.finish(Status::Abandoned);
        }
    }
}

/// Waits for a change of the znode that is not accounted for; `None` if the connection ended first.
async fn touched(watch: &mut Watch, notify: &ZnodeNotify, known: Versions) -> Option<EventKind> {
    match watch {
        Some(watch) => watch.fired().await,
        None => Some(notify.changed_since(known).await),
    }
}

/// Looks at the znode when it is time to.
async fn audit(connection: &Connection, path: &ZnodePath, wait: Duration) -> Result<Option<Stat>, Error> {
    sleep(wait).await;
    connection.stat(path).await
}

/// Whether it is the same znode, with the same data.
fn is_untouched(now: &Stat, before: &Stat) -> bool {
    (now.czxid, now.mzxid, now.ephemeral_owner) == (before.czxid, before.mzxid, before.ephemeral_owner)
}

fn is_same(one: &Connection, other: &Connection) -> bool {
    (one.epoch(), one.reconnects()) == (other.epoch(), other.reconnects())
}

/// Waits for another wish. A dropped registration has made its last one.
async fn changed(desired: &mut watch::Receiver<Desired>) {
    if desired.changed().await.is_err() {
        std::future::pending().await
    }
}
