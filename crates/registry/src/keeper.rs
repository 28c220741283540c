//! The state machine that keeps one ephemeral znode in place.
//!
//! ```text
//!              link up              nothing there: create
//!  Unlinked ──────────▶ Looking ◀─┐ stale one of ours: take over     (then look again)
//!      ▲                 │ │ │ └──┘ ours, other data: write
//!      │ link down       │ │ └───▶ Rival     somebody else's; its watch, or the wait ─▶ Looking
//!      │ (from anywhere) │ └─────▶ Pausing   a verb failed; after the wait ─▶ Looking
//!      └─────────────────┴───────▶ Holding   ours; its watch, or an audit that differs ─▶ Looking
//!
//!  deregistered: Looking deletes what is ours ─▶ Gone        link closed ─▶ Closed
//! ```
//!
//! It is level-triggered: whatever happened, the next step is to look, and to act on what is there. So a
//! lost reply needs no case of its own: on the same connection a look comes after the lost request in
//! order, and on a new one the old connection's requests are over.

use std::sync::Arc;
use std::time::Duration;

use instance::Owner;
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument, debug, info, info_span, warn};
use zk_core::{
    Backoff, CloseReason, Connection, Error, ErrorKind, EventKind, ExistsWatch, Phase, SessionId, Stat,
    ZnodePath, Zxid,
};

use crate::decide::{Claim, Decision, Found, decide};
use crate::registrar::Shared;
use crate::registration::{Desired, Registration};
use crate::status::{Holder, Status};

/// The first wait after a failure; it doubles up to [`PAUSE_CAP`].
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_CAP: Duration = Duration::from_secs(1);
/// The first wait for a rival, where its watch says nothing; it doubles up to the audit interval.
const RIVAL_FIRST: Duration = Duration::from_secs(1);
/// A znode that nobody has touched for so long is answered for at once again.
const QUIET: Duration = Duration::from_secs(10);

/// Where the keeper stands. Every variant says what holds while it is in it.
enum Stage {
    /// There is no connection.
    Unlinked,
    /// What is there is unknown. `sync` where the server may lag behind what we know: first on a
    /// connection, and after a write that met something else than the look before.
    Looking { connection: Connection, sync: bool },
    /// The znode is ours and as it should be, and any change of it fires the watch.
    Holding { connection: Connection, watch: ExistsWatch, stat: Stat },
    /// The name is somebody else's, and its end fires the watch.
    Rival { connection: Connection, watch: ExistsWatch, holder: Holder },
    /// A verb failed on a connection that still stands.
    Pausing { connection: Connection },
    /// Deregistered and gone.
    Gone,
    /// The link is closed.
    Closed,
}

/// What a look, and the act after it, led to.
enum Next {
    Hold(ExistsWatch, Stat),
    Look { sync: bool },
    Yield(ExistsWatch, Holder),
    Gone,
}

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    path: ZnodePath,
    owner: Owner,
    vouched: bool,
    desired: watch::Receiver<Desired>,
    status: watch::Sender<Status>,
    /// A create was sent: a znode of ours may stand.
    attempted: bool,
    /// We have held the name: it is not ours by place any more.
    held_before: bool,
    /// The znode that we know to have created.
    created: Option<Zxid>,
    /// The data that we know to be on the znode.
    written: Option<Written>,
    pause: Backoff,
    rival: Backoff,
    touched: Backoff,
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
    pub(crate) fn spawn(
        shared: Arc<Shared>,
        path: ZnodePath,
        owner: Owner,
        vouched: bool,
        data: Vec<u8>,
    ) -> Registration {
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
        let keeper = Self {
            shared,
            path,
            owner,
            vouched,
            desired,
            status,
            attempted: false,
            held_before: false,
            created: None,
            written: None,
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
                Stage::Unlinked => self.await_link().await,
                Stage::Looking { connection, sync } => self.look(connection, sync).await,
                Stage::Holding { connection, watch, stat } => self.hold(connection, watch, stat).await,
                Stage::Rival { connection, watch, holder } => {
                    self.yield_to_rival(connection, watch, holder).await
                }
                Stage::Pausing { connection } => self.pause(connection).await,
                Stage::Gone => return self.finish(Status::Deregistered),
                Stage::Closed => {
                    let clean = self.shared.zk.state().phase == Phase::Closed(CloseReason::Clean);
                    let gone = clean || !self.attempted;
                    return self.finish(if gone { Status::Deregistered } else { Status::Abandoned });
                }
            }
        }
    }

    async fn await_link(&mut self) -> Stage {
        loop {
            if !self.attempted && *self.desired.borrow_and_update() == Desired::Absent {
                // Nothing of ours can stand: there is nothing to wait for.
                return Stage::Gone;
            }
            tokio::select! {
                () = changed(&mut self.desired) => {}
                connected = self.shared.zk.connected() => return match connected {
                    Ok(connection) => Stage::Looking { connection, sync: true },
                    Err(_closed) => Stage::Closed,
                },
            }
        }
    }

    async fn look(&mut self, connection: Connection, sync: bool) -> Stage {
        let wanted = self.desired.borrow_and_update().clone();
        let mut desired = self.desired.clone();
        let next = tokio::select! {
            // What is dropped here is derived anew: requests under way come before the next look.
            () = changed(&mut desired) => return Stage::Looking { connection, sync },
            next = self.reconcile(&connection, sync, &wanted) => next,
        };
        match next {
            Ok(Next::Look { sync }) => Stage::Looking { connection, sync },
            Ok(Next::Gone) => Stage::Gone,
            Ok(Next::Hold(watch, stat)) => {
                self.pause = Backoff::new(PAUSE_FIRST, PAUSE_CAP);
                self.rival = Backoff::new(RIVAL_FIRST, self.rival.cap());
                self.held_before = true;
                let session = connection.session().id;
                self.report(Status::Registered { czxid: stat.czxid, session });
                Stage::Holding { connection, watch, stat }
            }
            Ok(Next::Yield(watch, holder)) => {
                self.report(Status::Conflict(holder.clone()));
                Stage::Rival { connection, watch, holder }
            }
            Err(_) if connection.has_ended() => self.unlinked(),
            Err(error) => {
                self.report(Status::Pending { trouble: Some(error.to_string()) });
                Stage::Pausing { connection }
            }
        }
    }

    /// Looks at what is there, and takes one step towards what should be.
    async fn reconcile(
        &mut self,
        connection: &Connection,
        sync: bool,
        wanted: &Desired,
    ) -> Result<Next, Error> {
        // Both are on their way at once, in this order: the look sees what the leader has (D7).
        let (synced, looked) = tokio::join!(
            biased;
            async { if sync { connection.sync(self.shared.config.root()).await } else { Ok(()) } },
            connection.watch_exists(&self.path),
        );
        synced?;
        let (stat, watch) = looked?;
        let acl = self.shared.config.acl();
        let Some(stat) = stat else {
            let Desired::Present(data) = wanted else {
                return Ok(Next::Gone);
            };
            self.pending();
            self.attempted = true;
            return match connection.create_ephemeral(&self.path, data, acl).await {
                Ok(stat) => {
                    self.created = Some(stat.czxid);
                    self.written = Some(Written::by(connection, &stat, data));
                    info!(czxid = %stat.czxid, session = %connection.session().id, "created");
                    // The watch above has fired for the creation: look again, to set one that lasts.
                    Ok(Next::Look { sync: false })
                }
                Err(error) if *error.kind() == ErrorKind::NoNode => {
                    connection.ensure_path(self.shared.config.root(), acl).await?;
                    Ok(Next::Look { sync: false })
                }
                // Somebody was faster, or an earlier request of ours whose reply was lost.
                Err(error) if *error.kind() == ErrorKind::NodeExists => Ok(Next::Look { sync: true }),
                Err(error) => Err(error),
            };
        };
        let Some(found) = self.inspect(connection, stat, wanted).await? else {
            return Ok(Next::Look { sync: true });
        };
        let decision = decide(
            &found,
            Claim {
                owner: &self.owner,
                session: connection.session().id,
                // The word was given for as long as the instance is wanted.
                vouched: self.vouched && *wanted != Desired::Absent,
                created: self.created,
                held_before: self.held_before,
            },
        );
        let stat = found.stat;
        match (decision, wanted) {
            (Decision::Leave(_), Desired::Absent) => Ok(Next::Gone),
            (Decision::Leave(holder), Desired::Present(_)) => Ok(Next::Yield(watch, holder)),
            (_, Desired::Absent) => match connection.delete(&self.path, Some(stat.version)).await {
                Ok(()) => {
                    info!(czxid = %stat.czxid, "deleted");
                    Ok(Next::Gone)
                }
                Err(error) if matches!(error.kind(), ErrorKind::NoNode) => Ok(Next::Gone),
                Err(error) if matches!(error.kind(), ErrorKind::BadVersion) => Ok(Next::Look { sync: true }),
                Err(error) => Err(error),
            },
            (Decision::Keep, Desired::Present(_)) => Ok(Next::Hold(watch, stat)),
            (Decision::Rewrite, Desired::Present(data)) => {
                let written = connection.set_data(&self.path, data, Some(stat.version)).await;
                if let Ok(stat) = &written {
                    info!(version = stat.version, "written");
                    self.written = Some(Written::by(connection, stat, data));
                }
                look_unless_failed(written)
            }
            (Decision::TakeOver, Desired::Present(data)) => {
                info!(czxid = %stat.czxid, session = ?stat.ephemeral_owner, "taking over a stale znode of ours");
                self.pending();
                self.attempted = true;
                let taken = connection.take_over(&self.path, stat.version, data, acl).await;
                look_unless_failed(taken)
            }
        }
    }

    /// Finds out whose znode this is; `None` if it went meanwhile.
    async fn inspect(
        &self,
        connection: &Connection,
        stat: Stat,
        wanted: &Desired,
    ) -> Result<Option<Found>, Error> {
        if let (Some(written), Desired::Present(wanted)) = (&self.written, wanted)
            // The session, too: an ensemble that lost its data counts its transactions anew.
            && written.mzxid == stat.mzxid
            && Some(written.session) == stat.ephemeral_owner
        {
            let data_is_ours = written.data == *wanted;
            return Ok(Some(Found { stat, owner: Some(self.owner.clone()), data_is_ours }));
        }
        let (data, stat) = match connection.data(&self.path).await {
            Ok(read) => read,
            Err(error) if *error.kind() == ErrorKind::NoNode => return Ok(None),
            Err(error) => return Err(error),
        };
        let owner = match self.shared.format.decode(self.path.name(), &data) {
            Ok(decoded) => decoded.instance.owner().cloned(),
            Err(_) => None,
        };
        let data_is_ours = matches!(wanted, Desired::Present(wanted) if wanted[..] == data[..]);
        Ok(Some(Found { stat, owner, data_is_ours }))
    }

    async fn hold(&mut self, connection: Connection, mut watch: ExistsWatch, stat: Stat) -> Stage {
        let since = Instant::now();
        let event = loop {
            let audited = tokio::select! {
                () = changed(&mut self.desired) => return Stage::Looking { connection, sync: false },
                () = connection.ended() => return self.unlinked(),
                event = watch.fired() => break event,
                audited = audit(&connection, &self.path, self.shared.config.audit_interval()) => audited,
            };
            match audited {
                Ok(Some(now)) if now == stat => debug!("audit: in place"),
                Ok(_) => {
                    warn!("audit: not as it should be, and no watch told");
                    return Stage::Looking { connection, sync: false };
                }
                // What was true is not known any more: find out.
                Err(error) => {
                    debug!(%error, "audit failed");
                    return Stage::Looking { connection, sync: false };
                }
            }
        };
        let Some(event) = event else {
            return self.unlinked();
        };
        info!(?event, "the znode was touched");
        if since.elapsed() > QUIET {
            self.touched = Backoff::new(PAUSE_FIRST, PAUSE_CAP);
        }
        // Who writes over our data again and again is answered ever more slowly; a deletion at once.
        let wait = if event == EventKind::DataChanged { self.touched.next_wait() } else { Duration::ZERO };
        self.look_after(connection, wait).await
    }

    async fn yield_to_rival(
        &mut self,
        connection: Connection,
        mut watch: ExistsWatch,
        holder: Holder,
    ) -> Stage {
        let wait = self.rival.next_wait().max(RIVAL_FIRST / 2);
        warn!(%holder, look_again_within = ?wait, "the name is somebody else's");
        let event = tokio::select! {
            () = changed(&mut self.desired) => return Stage::Looking { connection, sync: false },
            () = connection.ended() => return self.unlinked(),
            fired = timeout(wait, watch.fired()) => match fired {
                Ok(Some(event)) => event,
                Ok(None) => return self.unlinked(),
                Err(_) => return Stage::Looking { connection, sync: false },
            },
        };
        // A rival that writes its data is no reason to hurry, and none to log each time.
        let wait = if event == EventKind::DataChanged { RIVAL_FIRST / 2 } else { Duration::ZERO };
        self.look_after(connection, wait).await
    }

    /// Looks again after a wait, or at once where something else is wanted meanwhile.
    async fn look_after(&mut self, connection: Connection, wait: Duration) -> Stage {
        tokio::select! {
            () = changed(&mut self.desired) => {}
            () = connection.ended() => return self.unlinked(),
            () = sleep(wait) => {}
        }
        Stage::Looking { connection, sync: false }
    }

    async fn pause(&mut self, connection: Connection) -> Stage {
        let wait = self.pause.next_wait();
        self.look_after(connection, wait).await
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
        self.shared.release(&self.path);
        self.report(end);
    }

    /// It is being worked on; what stood in the way is kept until it is known to be overcome.
    fn pending(&self) {
        if !matches!(*self.status.borrow(), Status::Pending { .. }) {
            self.report(Status::Pending { trouble: None });
        }
    }

    /// The one place where the status changes, and where that is logged.
    fn report(&self, now: Status) {
        self.status.send_if_modified(|status| {
            if *status == now {
                return false;
            }
            match &now {
                Status::Registered { czxid, session } => info!(%czxid, %session, "registered"),
                Status::Pending { trouble: Some(trouble) } => warn!(%trouble, "not registered"),
                Status::Pending { trouble: None } => info!("registering"),
                Status::Unconfirmed => info!("unconfirmed: the link is down"),
                Status::Conflict(holder) => debug!(%holder, "conflict"),
                Status::Deregistered => info!("deregistered"),
                Status::Abandoned => warn!("the link was closed; the znode goes with its session"),
            }
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

/// Looks at the znode when it is time to.
async fn audit(connection: &Connection, path: &ZnodePath, interval: Duration) -> Result<Option<Stat>, Error> {
    sleep(jittered(interval)).await;
    connection.stat(path).await
}

/// Waits for another wish. A dropped registration has made its last one.
async fn changed(desired: &mut watch::Receiver<Desired>) {
    if desired.changed().await.is_err() {
        std::future::pending().await
    }
}

/// An interval varied by a quarter, so that a fleet that started together does not audit together.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.75..1.25))
}

/// After a conditional write: who was faster than us is seen by looking again.
fn look_unless_failed<T>(outcome: Result<T, Error>) -> Result<Next, Error> {
    match outcome {
        Ok(_) => Ok(Next::Look { sync: false }),
        Err(error) => match error.kind() {
            ErrorKind::NoNode | ErrorKind::BadVersion | ErrorKind::NodeExists => {
                Ok(Next::Look { sync: true })
            }
            _ => Err(error),
        },
    }
}
