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
//! What all keepers of a registrar need, the [`lookout`](crate::lookout) does once: keepers stand on a
//! [`Footing`], not on a bare connection.

mod cuts;
mod step;

use std::sync::Arc;
use std::time::Duration;

use instance::Owner;
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument, debug, info_span};
use zk_core::{
    Backoff, CloseReason, Connection, Error, EventKind, OneShot, Phase, SessionId, Stat, ZnodePath, Zxid,
};

use crate::bell::{Bell, Tally};
use crate::journal::tell;
use crate::lookout::{Footing, Ground, Watched, jittered};
use crate::registrar::Shared;
use crate::registration::{Desired, Registration};
use crate::status::{Holder, Status};
use cuts::Cuts;

/// The first wait after a failure; it doubles up to [`PAUSE_CAP`].
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_CAP: Duration = Duration::from_secs(1);
/// Where more than this many are in trouble at once, each waits longer in proportion.
const MANY_IN_TROUBLE: u32 = 500;
/// The first wait for a rival, where its watch says nothing; it doubles up to the audit interval.
const RIVAL_FIRST: Duration = Duration::from_secs(1);
/// A znode that nobody has touched for so long is answered for at once again.
const QUIET: Duration = Duration::from_secs(10);

/// Where the keeper stands. Every variant says what holds while it is in it.
enum Stage {
    /// There is no connection.
    Unlinked,
    /// What is there is unknown. `sync` after a write that met something else than the look before: the
    /// server may lag behind what we know.
    Looking { footing: Arc<Footing>, sync: bool },
    /// The znode is ours and as it should be, and any change of it is heard of.
    Holding { footing: Arc<Footing>, watch: Watch, stat: Stat },
    /// The name is somebody else's, and its end is heard of.
    Rival { footing: Arc<Footing>, watch: Watch, holder: Holder },
    /// A step failed on a connection that still stands.
    Pausing { footing: Arc<Footing> },
    /// Deregistered and gone.
    Gone,
    /// The link is closed.
    Closed,
}

/// The znode's own watch. `None` where one watch serves all: the bell tells.
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
    pub(crate) bell: Arc<Bell>,
    pub(crate) owner: Owner,
    /// The caller holds the listening socket.
    pub(crate) vouched: bool,
}

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    ground: watch::Receiver<Ground>,
    path: ZnodePath,
    bell: Arc<Bell>,
    /// What the bell has told that is accounted for.
    known: Tally,
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
    cuts: Cuts,
    pause: Backoff,
    rival: Backoff,
    touched: Backoff,
}

/// A znode that stood under a shared watch.
struct Held {
    footing: u64,
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
        let Name { path, bell, owner, vouched } = name;
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
        shared.company.census.enter(&status.borrow());
        let keeper = Self {
            ground: shared.ground(),
            shared,
            path,
            known: bell.tally(),
            bell,
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
            cuts: Cuts::default(),
            pause: Backoff::new(PAUSE_FIRST, PAUSE_CAP),
            rival,
            touched: Backoff::new(PAUSE_FIRST, PAUSE_CAP),
        };
        tokio::spawn(keeper.run().instrument(span));
        registration
    }

    async fn run(mut self) {
        let mut stage = Stage::Unlinked;
        loop {
            stage = match stage {
                Stage::Unlinked => self.await_footing().await,
                Stage::Looking { footing, sync } => self.look(footing, sync).await,
                Stage::Holding { footing, watch, stat } => self.hold(footing, watch, stat).await,
                Stage::Rival { footing, watch, holder } => self.yield_to_rival(footing, watch, holder).await,
                Stage::Pausing { footing } => self.pause(footing).await,
                Stage::Gone => return self.finish(Status::Deregistered),
                Stage::Closed => {
                    let clean = self.shared.zk.state().phase == Phase::Closed(CloseReason::Clean);
                    let gone = clean || self.attempted.is_none();
                    return self.finish(if gone { Status::Deregistered } else { Status::Abandoned });
                }
            }
        }
    }

    async fn await_footing(&mut self) -> Stage {
        loop {
            if self.attempted.is_none() && *self.desired.borrow_and_update() == Desired::Absent {
                // Nothing of ours can stand: there is nothing to wait for.
                return Stage::Gone;
            }
            // An error means that nobody looks after it any more: the link is closed, or the runtime of the
            // first registration gone, and the link with it.
            if self.ground.has_changed().is_err() {
                return Stage::Closed;
            }
            let ground = self.ground.borrow_and_update().clone();
            match ground {
                Ground::Linked(footing) if !footing.connection.has_ended() => return self.arrive(footing),
                Ground::Closed => return Stage::Closed,
                Ground::Troubled(trouble) if self.is_pending() => {
                    self.report(Status::Pending { trouble: Some(trouble) });
                }
                Ground::Troubled(_) => {}
                Ground::Unlinked | Ground::Linked(_) => {
                    self.unlinked();
                }
            }
            tokio::select! {
                () = changed(&mut self.desired) => {}
                // An error is seen above.
                _ = self.ground.changed() => {}
            }
        }
    }

    /// On a new footing: holds on, where it is certain that nothing has changed, or looks.
    fn arrive(&mut self, footing: Arc<Footing>) -> Stage {
        match self.held.take() {
            Some(held)
                if footing.confirms(held.footing)
                    && held.epoch == footing.connection.epoch()
                    && self.bell.tally() == self.known
                    // Nor is anything else wanted meanwhile.
                    && !self.desired.has_changed().unwrap_or(true) =>
            {
                self.report_registered(&footing, &held.stat);
                Stage::Holding { footing, watch: None, stat: held.stat }
            }
            _ => Stage::Looking { footing, sync: false },
        }
    }

    async fn look(&mut self, footing: Arc<Footing>, sync: bool) -> Stage {
        let Some(footing) = self.latest(footing).await else {
            return Stage::Unlinked;
        };
        let wanted = self.desired.borrow_and_update().clone();
        let mut desired = self.desired.clone();
        let next = tokio::select! {
            // What is dropped here is derived anew: requests under way come before the next look.
            () = changed(&mut desired) => return Stage::Looking { footing, sync },
            next = self.step(&footing, sync, &wanted) => next,
        };
        match next {
            Ok(Next::Look { sync }) => Stage::Looking { footing, sync },
            Ok(Next::Later) => {
                let wait = self.touched.next_wait();
                self.look_after(footing, wait).await
            }
            Ok(Next::Gone) => Stage::Gone,
            Ok(Next::Hold(watch, stat)) => {
                self.pause = Backoff::new(PAUSE_FIRST, PAUSE_CAP);
                self.cuts.answered();
                self.mended = false;
                self.rival = Backoff::new(RIVAL_FIRST, self.rival.cap());
                self.held_before = true;
                self.stood = Some(footing.connection.epoch());
                self.report_registered(&footing, &stat);
                Stage::Holding { footing, watch, stat }
            }
            Ok(Next::Yield(watch, holder)) => {
                self.report(Status::Conflict(holder.clone()));
                Stage::Rival { footing, watch, holder }
            }
            Err(_) if footing.connection.has_ended() => self.unlinked(),
            Err(trouble) => {
                self.shared.company.census.failed(&trouble);
                self.report(Status::Pending { trouble: Some(trouble) });
                Stage::Pausing { footing }
            }
        }
    }

    /// The footing to take a step on: this one, or a later one of the same connection. `None` if the link
    /// is down.
    async fn latest(&mut self, mut footing: Arc<Footing>) -> Option<Arc<Footing>> {
        loop {
            let ground = self.ground.borrow().clone();
            match ground {
                Ground::Linked(later) if is_same(&later.connection, &footing.connection) => footing = later,
                // It is being made anew, or its end is about to be noticed: as long as it works, it is good.
                _ => {}
            }
            let crowded = self.shared.company.names.are_crowded();
            if !(crowded && footing.watched == Watched::Each { always: false }) {
                return Some(footing);
            }
            // One watch for all is on its way.
            tokio::select! {
                () = footing.connection.ended() => {
                    self.unlinked();
                    return None;
                }
                moved = self.ground.changed() => if moved.is_err() { return None },
            }
        }
    }

    async fn hold(&mut self, footing: Arc<Footing>, mut watch: Watch, stat: Stat) -> Stage {
        let since = Instant::now();
        let interval = self.shared.audit_interval(watch.is_none());
        // They that came together are not audited together, from the first time on.
        let mut wait = interval.mul_f64(rand::rng().random_range(0.25..1.25));
        let event = loop {
            let audited = tokio::select! {
                () = changed(&mut self.desired) => return Stage::Looking { footing, sync: false },
                () = footing.connection.ended() => return self.let_go(&footing, &watch, stat),
                moved = self.ground.changed(), if watch.is_none() => {
                    let ground = self.ground.borrow_and_update().clone();
                    match ground {
                        Ground::Linked(same) if same.number == footing.number && moved.is_ok() => continue,
                        // The shared watch has ended: see what comes after it.
                        _ => return self.let_go(&footing, &watch, stat),
                    }
                }
                event = touched(&mut watch, &self.bell, self.known) => break event,
                audited = audit(&footing.connection, &self.path, wait) => audited,
            };
            wait = jittered(interval);
            match audited {
                Ok(Some(now)) if is_untouched(&now, &stat) => debug!("audit: in place"),
                Ok(_) => {
                    tell!(self.shared.company.journal, warn, "audit: not as it should be, and no watch told");
                    return Stage::Looking { footing, sync: false };
                }
                // What was true is not known any more: find out.
                Err(error) => {
                    debug!(%error, "audit failed");
                    return Stage::Looking { footing, sync: false };
                }
            }
        };
        let Some(event) = event else {
            return self.unlinked();
        };
        tell!(self.shared.company.journal, info, ?event, "the znode was touched");
        if event == EventKind::Deleted {
            // Its turn to be made anew may be a while off.
            self.pending();
        }
        if since.elapsed() > QUIET {
            self.touched = Backoff::new(PAUSE_FIRST, PAUSE_CAP);
        }
        // Who writes over our data again and again is answered ever more slowly; a deletion at once.
        let wait = if event == EventKind::DataChanged { self.touched.next_wait() } else { Duration::ZERO };
        self.look_after(footing, wait).await
    }

    /// The footing of a znode that is held is gone. If the shared watch stood since before it was looked at,
    /// it may be confirmed without another look.
    fn let_go(&mut self, footing: &Footing, watch: &Watch, stat: Stat) -> Stage {
        if watch.is_none() {
            self.held = Some(Held { footing: footing.number, epoch: footing.connection.epoch(), stat });
        }
        if footing.connection.has_ended() { self.unlinked() } else { Stage::Unlinked }
    }

    async fn yield_to_rival(&mut self, footing: Arc<Footing>, mut watch: Watch, holder: Holder) -> Stage {
        let wait = self.rival.next_wait().max(RIVAL_FIRST / 2);
        tell!(
            self.shared.company.journal,
            warn,
            %holder,
            look_again_within = ?wait,
            "the name is somebody else's"
        );
        let event = tokio::select! {
            () = changed(&mut self.desired) => return Stage::Looking { footing, sync: false },
            () = footing.connection.ended() => return self.unlinked(),
            // The shared watch has ended, or there is one now.
            moved = self.ground.changed() => return match moved {
                Ok(()) => Stage::Looking { footing, sync: false },
                Err(_) => Stage::Unlinked,
            },
            heard = timeout(wait, touched(&mut watch, &self.bell, self.known)) => match heard {
                Ok(Some(event)) => event,
                Ok(None) => return self.unlinked(),
                Err(_) => return Stage::Looking { footing, sync: false },
            },
        };
        // A rival that writes its data is no reason to hurry, and none to log each time.
        let wait = if event == EventKind::DataChanged { RIVAL_FIRST / 2 } else { Duration::ZERO };
        self.look_after(footing, wait).await
    }

    /// Looks again after a wait, or at once where something else is wanted meanwhile.
    async fn look_after(&mut self, footing: Arc<Footing>, wait: Duration) -> Stage {
        tokio::select! {
            () = changed(&mut self.desired) => {}
            () = footing.connection.ended() => return self.unlinked(),
            () = sleep(wait) => {}
        }
        Stage::Looking { footing, sync: false }
    }

    async fn pause(&mut self, footing: Arc<Footing>) -> Stage {
        let company = self.shared.company.census.pending() / MANY_IN_TROUBLE;
        let wait = self.cuts.left().unwrap_or_else(|| self.pause.next_wait() * (company + 1));
        self.look_after(footing, wait).await
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
        self.shared.company.names.release(&self.path);
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

    fn report_registered(&self, footing: &Footing, stat: &Stat) {
        let session = footing.connection.session().id;
        self.report(Status::Registered { czxid: stat.czxid, session });
    }

    /// The one place where the status changes, and where that is logged and counted.
    fn report(&self, now: Status) {
        let journal = &self.shared.company.journal;
        self.status.send_if_modified(|status| {
            if *status == now {
                return false;
            }
            match &now {
                Status::Registered { czxid, session } => tell!(journal, info, %czxid, %session, "registered"),
                Status::Pending { trouble: Some(trouble) } => {
                    tell!(journal, warn, %trouble, "not registered")
                }
                Status::Pending { trouble: None } => tell!(journal, info, "registering"),
                Status::Unconfirmed => tell!(journal, info, "unconfirmed: the link is down"),
                Status::Conflict(holder) => debug!(%holder, "conflict"),
                Status::Deregistered => tell!(journal, info, "deregistered"),
                Status::Abandoned => {
                    tell!(journal, warn, "the link was closed; the znode goes with its session");
                }
            }
            self.shared.company.census.moved(status, &now);
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
async fn touched(watch: &mut Watch, bell: &Bell, known: Tally) -> Option<EventKind> {
    match watch {
        Some(watch) => watch.fired().await,
        None => Some(bell.heard_beyond(known).await),
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
