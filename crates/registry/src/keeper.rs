//! The state machine that keeps one ephemeral znode in place.
//!
//! ```text
//!            link up             ┌─▶ Registered  ours, with our data    its watch fires, or an audit differs ─▶ Looking
//! Unlinked ──────────▶ Looking ──┼─▶ Conflict    another owner's        its watch fires, or a wait ends ──────▶ Looking
//!  ▲    │               ▲   │    └─▶ Pausing     a step failed          a wait ends ──────────────────────────▶ Looking
//!  │    │               └───┘ missing: create; stale: take over; other data: write
//!  │    └──────────────────────────▶ Registered  if the root watch confirms that nothing has changed
//!  └─ link down, from every stage; the shared watch ended
//!
//! deregistered: Looking deletes our znode ─▶ Gone         link closed: Unlinked ─▶ Closed
//! ```
//!
//! The machine is level-triggered: whatever has happened, the next step reads the znode and acts on what it finds. So a
//! lost reply is no special case: on the same connection a read comes after the lost request, and on a new connection
//! the requests of the old one are over.
//!
//! The [`root_watch`](crate::root_watch) does once what all keepers of a registrar need: keepers use a
//! [`ReadyConnection`], not a bare connection.

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
use crate::notify::{EventCounts, ZnodeNotify};
use crate::registrar::Shared;
use crate::registration::{Desired, Registration};
use crate::root_watch::{Readiness, ReadyConnection, Watched};
use crate::status::{Holder, Status};
use write_backoff::WriteBackoff;

/// Where more registrations than this are pending at once, each waits longer in proportion.
const MANY_PENDING: u32 = 500;
/// The first wait in a conflict, if the watch of the other owner's znode does not fire; it doubles up to the audit
/// interval.
const CONFLICT_FIRST: Duration = Duration::from_secs(1);
/// After so long without a change by another client, the next one is reverted at once again.
const OVERWRITE_RESET: Duration = Duration::from_secs(10);

/// The stage of a keeper. Every variant says what is true while it lasts.
enum Stage {
    /// No connection is ready: the link is down, or the shared watch is being replaced.
    Unlinked,
    /// The znode has to be read. With `sync` after a write that met another znode than the read before it: the server
    /// may lag behind what we know.
    Looking { ready: Arc<ReadyConnection>, sync: bool },
    /// The znode is ours, with our data, and a watch reports every change.
    Registered { ready: Arc<ReadyConnection>, watch: Watch, stat: Stat },
    /// The znode belongs to another owner, and a watch reports its end.
    Conflict { ready: Arc<ReadyConnection>, watch: Watch, holder: Holder },
    /// A step failed on a connection that still works.
    Pausing { ready: Arc<ReadyConnection> },
    /// Deregistered, and the znode is gone.
    Gone,
    /// The link is closed.
    Closed,
}

/// The znode's own watch. `None` where one watch serves all: events come by [`ZnodeNotify`].
type Watch = Option<OneShot>;

/// The result of a step.
enum Next {
    Registered(Watch, Stat),
    Look {
        sync: bool,
    },
    /// Another client overwrites our data again and again: look later.
    Overwritten,
    Conflict(Watch, Holder),
    Gone,
}

/// A name to keep, and the owner that keeps it.
pub(crate) struct Name {
    pub(crate) path: ZnodePath,
    pub(crate) notify: Arc<ZnodeNotify>,
    pub(crate) owner: Owner,
    /// The caller owns the listening socket.
    pub(crate) vouched: bool,
}

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    readiness: watch::Receiver<Readiness>,
    path: ZnodePath,
    notify: Arc<ZnodeNotify>,
    /// The events that are accounted for.
    known: EventCounts,
    owner: Owner,
    vouched: bool,
    desired: watch::Receiver<Desired>,
    status: watch::Sender<Status>,
    /// The epoch in which a create was sent last: a znode of ours may exist.
    create_sent_in: Option<u64>,
    /// The epoch in which the znode was last known to exist.
    seen_in: Option<u64>,
    /// The name was ours before: a znode of another owner is not stale, it took the name after us.
    registered_before: bool,
    /// What was registered when the connection ended.
    unconfirmed: Option<Unconfirmed>,
    /// The znode that we know to have created.
    created: Option<Zxid>,
    /// The session whose stale znode was taken over, until `registered` is logged.
    took_over: Option<SessionId>,
    /// The data that we know to be on the znode.
    written: Option<Written>,
    /// Overwritten data was restored since the stage was last `Registered`.
    restored: bool,
    /// Writes that ended the connection.
    write_backoff: WriteBackoff,
    retry_backoff: Backoff,
    conflict_backoff: Backoff,
    overwrite_backoff: Backoff,
}

/// A znode that was registered under a shared watch that has ended.
struct Unconfirmed {
    /// The number of the ready connection.
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
    /// Starts the task that keeps the znode. The task ends when the registration is deregistered or dropped and the
    /// znode is gone, or when the link is closed.
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
        let longest = shared.config.audit_interval().max(CONFLICT_FIRST);
        let span = info_span!("keeper", %path);
        shared.context.metrics.begin(&status.borrow());
        let keeper = Self {
            readiness: shared.readiness(),
            shared,
            path,
            known: notify.counts(),
            notify,
            owner,
            vouched,
            desired,
            status,
            create_sent_in: None,
            seen_in: None,
            registered_before: false,
            unconfirmed: None,
            created: None,
            took_over: None,
            written: None,
            restored: false,
            write_backoff: WriteBackoff::default(),
            retry_backoff: Backoff::default(),
            conflict_backoff: Backoff::new(CONFLICT_FIRST, longest),
            overwrite_backoff: Backoff::default(),
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
                Stage::Registered { ready, watch, stat } => self.keep(ready, watch, stat).await,
                Stage::Conflict { ready, watch, holder } => self.await_name(ready, watch, holder).await,
                Stage::Pausing { ready } => self.pause(ready).await,
                Stage::Gone => return self.finish(Status::Deregistered),
                Stage::Closed => {
                    let clean = self.shared.zk.state().phase == Phase::Closed(CloseReason::Clean);
                    let gone = clean || self.create_sent_in.is_none();
                    return self.finish(if gone { Status::Deregistered } else { Status::Abandoned });
                }
            }
        }
    }

    async fn await_ready(&mut self) -> Stage {
        loop {
            if self.create_sent_in.is_none() && *self.desired.borrow_and_update() == Desired::Absent {
                // No znode of ours can exist: there is nothing to wait for.
                return Stage::Gone;
            }
            // An error: the root watch has ended. The link is closed, or the runtime of the first registration is gone,
            // and the link with it.
            if self.readiness.has_changed().is_err() {
                return Stage::Closed;
            }
            let readiness = self.readiness.borrow_and_update().clone();
            match readiness {
                Readiness::Ready(ready) if !ready.connection.has_ended() => return self.on_ready(ready),
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
                // The next round handles an error.
                _ = self.readiness.changed() => {}
            }
        }
    }

    /// Goes on without a read, if the ready connection confirms the znode and the caller wants nothing else; else
    /// looks.
    fn on_ready(&mut self, ready: Arc<ReadyConnection>) -> Stage {
        match self.unconfirmed.take() {
            Some(before)
                if ready.confirms(before.ready)
                    && before.epoch == ready.connection.epoch()
                    && self.notify.counts() == self.known
                    && !self.desired.has_changed().unwrap_or(true) =>
            {
                self.report_registered(&ready, &before.stat);
                Stage::Registered { ready, watch: None, stat: before.stat }
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
            // A dropped step costs nothing: its requests come before those of the next step.
            () = changed(&mut desired) => return Stage::Looking { ready, sync },
            next = self.step(&ready, sync, &wanted) => next,
        };
        match next {
            Ok(Next::Look { sync }) => Stage::Looking { ready, sync },
            Ok(Next::Overwritten) => {
                let wait = self.overwrite_backoff.next_wait(&mut rand::rng());
                self.look_in(wait, ready).await
            }
            Ok(Next::Gone) => Stage::Gone,
            Ok(Next::Registered(watch, stat)) => {
                self.retry_backoff = Backoff::default();
                self.write_backoff.reset();
                self.restored = false;
                self.conflict_backoff = Backoff::new(CONFLICT_FIRST, self.conflict_backoff.cap());
                self.registered_before = true;
                self.seen_in = Some(ready.connection.epoch());
                self.report_registered(&ready, &stat);
                Stage::Registered { ready, watch, stat }
            }
            Ok(Next::Conflict(watch, holder)) => {
                self.took_over = None;
                self.report(Status::Conflict(holder.clone()));
                Stage::Conflict { ready, watch, holder }
            }
            Err(_) if ready.connection.has_ended() => self.unlinked(),
            Err(trouble) => {
                self.shared.context.metrics.failed(&trouble);
                self.report(Status::Pending { trouble: Some(trouble) });
                Stage::Pausing { ready }
            }
        }
    }

    /// Returns the ready connection to take a step on: this one, or a later one of the same connection. `None` if the
    /// link is down.
    async fn latest(&mut self, mut ready: Arc<ReadyConnection>) -> Option<Arc<ReadyConnection>> {
        loop {
            let readiness = self.readiness.borrow().clone();
            match readiness {
                Readiness::Ready(later) if is_same_connection(&later.connection, &ready.connection) => {
                    ready = later;
                }
                // The next one is being prepared, or the end of this one is not noticed yet: it is good while it works.
                _ => {}
            }
            let needs_shared_watch = self.shared.context.names.needs_shared_watch();
            if !(needs_shared_watch && ready.watched == Watched::Own { always: false }) {
                return Some(ready);
            }
            // The shared watch is about to be installed.
            tokio::select! {
                () = ready.connection.ended() => {
                    self.unlinked();
                    return None;
                }
                published = self.readiness.changed() => if published.is_err() { return None },
            }
        }
    }

    async fn keep(&mut self, ready: Arc<ReadyConnection>, mut watch: Watch, stat: Stat) -> Stage {
        let since = Instant::now();
        let interval = self.shared.audit_interval(watch.is_none());
        // Registrations that were made at the same time have their audits at different times, from the first one on.
        let mut wait = interval.mul_f64(rand::rng().random_range(0.25..1.25));
        let event = loop {
            let audited = tokio::select! {
                () = changed(&mut self.desired) => return Stage::Looking { ready, sync: false },
                () = ready.connection.ended() => return self.on_ready_ended(&ready, &watch, stat),
                published = self.readiness.changed(), if watch.is_none() => {
                    let readiness = self.readiness.borrow_and_update().clone();
                    match readiness {
                        Readiness::Ready(same) if same.number == ready.number && published.is_ok() => continue,
                        // The shared watch has ended, and another one may confirm the znode.
                        _ => return self.on_ready_ended(&ready, &watch, stat),
                    }
                }
                event = changed_by_others(&mut watch, &self.notify, self.known) => break event,
                audited = audit(&ready.connection, &self.path, wait) => audited,
            };
            wait = jittered(interval, &mut rand::rng());
            match audited {
                Ok(Some(now)) if is_unchanged(&now, &stat) => debug!("audit: znode unchanged"),
                Ok(_) => {
                    limited!(
                        self.shared.context.log,
                        warn,
                        "audit mismatch: znode changed or deleted without a watch event"
                    );
                    return Stage::Looking { ready, sync: false };
                }
                // The znode may have changed.
                Err(error) => {
                    debug!(%error, "audit failed");
                    return Stage::Looking { ready, sync: false };
                }
            }
        };
        let Some(event) = event else {
            return self.unlinked();
        };
        if event == EventKind::Deleted {
            // The next look logs it. The keeper may wait a while for its permit to create the znode again.
            self.pending();
        } else {
            // Another client's write, or one of ours that was not accounted for: the next look finds out.
            debug!("znode changed");
        }
        if since.elapsed() > OVERWRITE_RESET {
            self.overwrite_backoff = Backoff::default();
        }
        // Data that is overwritten again and again is restored more slowly each time; a deleted znode at once.
        let wait = if event == EventKind::DataChanged {
            self.overwrite_backoff.next_wait(&mut rand::rng())
        } else {
            Duration::ZERO
        };
        self.look_in(wait, ready).await
    }

    /// Leaves a ready connection that has ended or has a successor. A znode that was registered under the shared watch
    /// may be confirmed by the next one, without another read.
    fn on_ready_ended(&mut self, ready: &ReadyConnection, watch: &Watch, stat: Stat) -> Stage {
        if watch.is_none() {
            let epoch = ready.connection.epoch();
            self.unconfirmed = Some(Unconfirmed { ready: ready.number, epoch, stat });
        }
        if ready.connection.has_ended() { self.unlinked() } else { Stage::Unlinked }
    }

    /// Waits until another owner's znode has changed, or a while, in case its watch does not fire.
    async fn await_name(&mut self, ready: Arc<ReadyConnection>, mut watch: Watch, holder: Holder) -> Stage {
        let wait = self.conflict_backoff.next_wait(&mut rand::rng()).max(CONFLICT_FIRST / 2);
        debug!(%holder, look_again_within = ?wait, "registration conflict: waiting for the name");
        let event = tokio::select! {
            () = changed(&mut self.desired) => return Stage::Looking { ready, sync: false },
            () = ready.connection.ended() => return self.unlinked(),
            // The shared watch has ended, or there is one now.
            published = self.readiness.changed() => return match published {
                Ok(()) => Stage::Looking { ready, sync: false },
                Err(_) => Stage::Unlinked,
            },
            event = timeout(wait, changed_by_others(&mut watch, &self.notify, self.known)) => match event {
                Ok(Some(event)) => event,
                Ok(None) => return self.unlinked(),
                Err(_) => return Stage::Looking { ready, sync: false },
            },
        };
        // Another owner's update does not free the name.
        let wait = if event == EventKind::DataChanged { CONFLICT_FIRST / 2 } else { Duration::ZERO };
        self.look_in(wait, ready).await
    }

    /// Looks again after a wait, or as soon as the caller wants something else.
    async fn look_in(&mut self, wait: Duration, ready: Arc<ReadyConnection>) -> Stage {
        tokio::select! {
            () = changed(&mut self.desired) => {}
            () = ready.connection.ended() => return self.unlinked(),
            () = sleep(wait) => {}
        }
        Stage::Looking { ready, sync: false }
    }

    async fn pause(&mut self, ready: Arc<ReadyConnection>) -> Stage {
        let factor = self.shared.context.metrics.pending() / MANY_PENDING + 1;
        let wait = self
            .write_backoff
            .left()
            .unwrap_or_else(|| self.retry_backoff.next_wait(&mut rand::rng()) * factor);
        self.look_in(wait, ready).await
    }

    /// The link is down: nothing is known to have changed, and nothing is confirmed.
    fn unlinked(&self) -> Stage {
        let status = self.status.borrow().clone();
        match status {
            Status::Registered { .. } => self.report(Status::Unconfirmed),
            // The other owner may be gone.
            Status::Conflict(_) => self.report(Status::Pending { trouble: None }),
            _ => {}
        }
        Stage::Unlinked
    }

    /// Releases the name, then reports the final status, so that an observer of the status can register the name again.
    fn finish(&self, end: Status) {
        self.shared.context.names.release(&self.path);
        self.report(end);
    }

    /// Reports `Pending`. The trouble of an earlier report stays until the znode is registered.
    fn pending(&self) {
        if !self.is_pending() {
            self.report(Status::Pending { trouble: None });
        }
    }

    fn is_pending(&self) -> bool {
        matches!(*self.status.borrow(), Status::Pending { .. })
    }

    fn report_registered(&mut self, ready: &ReadyConnection, stat: &Stat) {
        let session = ready.connection.session().id;
        self.report(Status::Registered { czxid: stat.czxid, session });
        self.took_over = None;
    }

    /// Changes the status, logs the change and counts it. Nothing else does.
    fn report(&self, now: Status) {
        let log = &self.shared.context.log;
        self.status.send_if_modified(|status| {
            if *status == now {
                return false;
            }
            match &now {
                Status::Registered { czxid, session } => {
                    let took_over = self.took_over.map(tracing::field::display);
                    limited!(log, info, %czxid, %session, took_over, "registered");
                }
                Status::Pending { trouble: Some(trouble) } => {
                    limited!(log, warn, error = %trouble, "registration pending, retrying");
                }
                Status::Pending { trouble: None } => debug!("registration pending"),
                Status::Unconfirmed => limited!(log, info, "registration unconfirmed: link down"),
                Status::Conflict(holder) => {
                    limited!(log, warn, %holder, "registration conflict: another owner has the name");
                }
                Status::Deregistered => limited!(log, info, "deregistered"),
                Status::Abandoned => {
                    limited!(log, warn, "registration abandoned: the znode ends with its session");
                }
            }
            self.shared.context.metrics.status_changed(status, &now);
            *status = now;
            true
        });
    }
}

/// However the task ends, the status becomes final, and the name is released.
impl Drop for Keeper {
    fn drop(&mut self) {
        let finished = self.status.borrow().is_final();
        if !finished {
            self.finish(Status::Abandoned);
        }
    }
}

/// Waits for an event of the znode that is not accounted for; `None` if the connection ended first.
async fn changed_by_others(watch: &mut Watch, notify: &ZnodeNotify, known: EventCounts) -> Option<EventKind> {
    match watch {
        Some(watch) => watch.fired().await,
        None => Some(notify.changed_since(known).await),
    }
}

/// Reads the stat of the znode after a wait.
async fn audit(connection: &Connection, path: &ZnodePath, wait: Duration) -> Result<Option<Stat>, Error> {
    sleep(wait).await;
    connection.stat(path).await
}

/// Whether both are of the same znode, with the same data.
fn is_unchanged(now: &Stat, before: &Stat) -> bool {
    (now.czxid, now.mzxid, now.ephemeral_owner) == (before.czxid, before.mzxid, before.ephemeral_owner)
}

fn is_same_connection(one: &Connection, other: &Connection) -> bool {
    (one.epoch(), one.reconnects()) == (other.epoch(), other.reconnects())
}

/// Waits until the caller wants something else. A dropped registration has made its last wish.
async fn changed(desired: &mut watch::Receiver<Desired>) {
    if desired.changed().await.is_err() {
        std::future::pending().await
    }
}
