//! The task that keeps one ephemeral znode in place: does what its machine asks for.
//!
//! ```text
//!          a connection     a permit            ┌─▶ Registered  ours, with our data    an event, an audit differs ─▶ Queued
//! Unready ─────────▶ Queued ───────▶ Asking ────┼─▶ Conflict    another owner's        an event, or a wait ends ──▶ Queued
//!  ▲  │                              ▲   │      └─▶ Waiting     a step failed          a wait ends ───────────────▶ Queued
//!  │  │                              └───┘ a stat, data; missing: create; stale: take over; other data: write
//!  │  └───────────────────────────────────────────▶ Registered  if the shared watch confirms that nothing has changed
//!  └─ link down, or the shared watch ended: from every stage, but Asking has its reply first
//!
//! an update:  Registered ─▶ Queued ─▶ Asking: a write, with the version that is known; others that come meanwhile follow
//!             after the reply, the last one alone
//! a leave:    every stage ─▶ Queued, for permits of its own, on any connection ─▶ Asking: deletes our znode ─▶ Over
//! link closed, registrar's task gone: every stage ─▶ Over (a leave goes on without that task)
//! ```
//!
//! The machine is level-triggered: whatever has happened, the next step reads the znode and acts on what it finds. So a
//! lost reply is no special case: on the same connection a read comes after the lost request, and on a new connection
//! the requests of the old one are over. Only while the znode is known to be as it was written, and every change is
//! reported, a write or a deletion goes without a read, with the version that is known.
//!
//! A wish is an event that comes after the request under way: it never interrupts it. A wish to leave ends every other
//! wait, such as that for other keepers' requests.

mod io;
mod known;
mod machine;
mod names;
mod pace;
mod reply;
mod report;
mod request;
mod watching;
mod work;

use std::future::pending;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tracing::{Instrument, info_span, trace};
use zk_core::time::until;
use zk_core::transport::BoxFuture;
use zk_core::{CloseReason, Connection, EventKind, OneShot, Phase, ZnodePath};

use crate::decide::Claim;
use crate::inbox::{EventCounts, Inbox};
use crate::readiness::{ConnectionId, Readiness};
use crate::shared::Shared;
use crate::singleflight::Ticket;
use crate::status::RegistrationStatus;
use crate::wish::{Record, Wish};
use io::{Effect, Input, Moment, Permit, Reply, Request};
use known::Known;
use machine::Machine;
use pace::Pace;
use report::Reporter;
use request::{Answer, Target};
use watching::Watching;

/// A name to keep, and what it is kept by.
pub(crate) struct Name {
    pub(crate) path: ZnodePath,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) claim: Claim,
    pub(crate) wish: watch::Receiver<Wish>,
    /// Keeps the registrar's task alive.
    pub(crate) registrar: watch::Receiver<()>,
}

struct Keeper {
    shared: Arc<Shared>,
    path: ZnodePath,
    inbox: Arc<Inbox>,
    /// The events that were passed to the machine.
    counted: EventCounts,
    wish: watch::Receiver<Wish>,
    /// The registrar's task has ended, and publishes no connection.
    is_orphaned: bool,
    machine: Machine,
    reporter: Reporter,
    connection: Option<Connection>,
    request: Option<BoxFuture<'static, Answer>>,
    permit_to_come: Option<BoxFuture<'static, OwnedSemaphorePermit>>,
    permit: Option<OwnedSemaphorePermit>,
    watch: Option<OneShot>,
    roots: Ticket,
    _registrar: watch::Receiver<()>,
}

/// What a keeper publishes.
pub(crate) struct Published {
    pub(crate) status: watch::Receiver<RegistrationStatus>,
    /// The record that the znode is known to have; `None` while a change is on its way, or nothing is known.
    pub(crate) on_znode: watch::Receiver<Option<Record>>,
}

/// Starts the task that keeps the znode. The task ends when the instance is deregistered and the
/// znode is gone, or when the link is closed. Its registrar waits for that: see [`Shared::tasks`].
pub(crate) fn spawn(shared: Arc<Shared>, name: Name) -> Published {
    let Name { path, inbox, claim, mut wish, registrar } = name;
    let (status, status_rx) = watch::channel(RegistrationStatus::Pending { trouble: None });
    let (on_znode, on_znode_rx) = watch::channel(None);
    shared.context.metrics.begin(&status.borrow());
    let pace = Pace::new(shared.zk.sources().rng(), shared.config.audit_interval());
    let known = Known::new(path.clone(), claim, Watching::new(inbox.counts()), pace);
    let machine = Machine::new(wish.borrow_and_update().clone(), known);
    let (span, tasks) = (info_span!("keeper", %path), shared.tasks.clone());
    let reporter = Reporter { shared: shared.clone(), path: path.clone(), status, on_znode };
    let keeper = Keeper {
        path,
        counted: inbox.counts(),
        inbox,
        wish,
        is_orphaned: false,
        machine,
        reporter,
        connection: None,
        request: None,
        permit_to_come: None,
        permit: None,
        watch: None,
        roots: shared.roots.ticket(),
        _registrar: registrar,
        shared,
    };
    tasks.spawn(keeper.run().instrument(span));
    Published { status: status_rx, on_znode: on_znode_rx }
}

impl Keeper {
    async fn run(mut self) {
        loop {
            while let Some(effect) = self.machine.next_effect() {
                trace!(?effect, "effect");
                if let Effect::Finish(status) = effect {
                    return self.reporter.finish(status);
                }
                self.perform(effect);
            }
            self.reporter.confirm(self.machine.on_znode());
            let input = self.next_input().await;
            trace!(?input, "input");
            let moment = self.moment();
            let (from, on) = (self.machine.stage(), input.name());
            self.machine.handle(input, &moment);
            trace!(target: "arrow", machine = "keeper", from, on, to = self.machine.stage());
        }
    }

    fn moment(&self) -> Moment {
        let context = &self.shared.context;
        Moment {
            now: Instant::now(),
            counts: self.inbox.counts(),
            needs_shared_watch: context.names.needs_shared_watch(),
            shared_audits: self.shared.shared_audits(),
            pending: context.metrics.pending(),
            cut_off: context.metrics.cut_off(),
        }
    }

    async fn next_input(&mut self) -> Input {
        loop {
            if let Some(readiness) = self.inbox.take_readiness() {
                return self.published(readiness);
            }
            if self.counted != self.inbox.counts() {
                self.counted = self.inbox.counts();
                return Input::Counted;
            }
            if self.machine.wants_connection()
                && let Some(connection) = self.shared.zk.connection()
            {
                let on = ConnectionId::of(&connection);
                self.connection = Some(connection);
                return Input::Linked(on);
            }
            let deadline = self.machine.deadline();
            tokio::select! {
                // A reply first: neither wishes nor events may starve it.
                biased;
                (reply, watch) = out_of(&mut self.request) => {
                    if let Ok(Reply::Stat(_)) = reply {
                        self.watch = watch;
                    }
                    return Input::Reply(reply);
                }
                permit = out_of(&mut self.permit_to_come) => {
                    self.permit = Some(permit);
                    return Input::Permit;
                }
                () = self.inbox.changed() => {}
                () = changed(&mut self.wish) => return Input::Wish(self.wish.borrow_and_update().clone()),
                kind = fired(&mut self.watch) => return Input::Fired(kind),
                // Nobody else says that there is one.
                linked = self.shared.zk.connected(), if self.is_orphaned && self.machine.wants_connection() => {
                    if linked.is_err() {
                        return self.closed();
                    }
                }
                () = until(deadline) => return Input::Timer,
            }
        }
    }

    fn published(&mut self, readiness: Readiness) -> Input {
        match readiness {
            Readiness::Ready(ready) if !ready.connection.has_ended() => {
                self.connection = Some(ready.connection.clone());
                Input::Ready(ready.ready)
            }
            Readiness::Ready(_) | Readiness::Unlinked => Input::Down,
            Readiness::Unprepared(trouble) => Input::Unprepared(trouble),
            Readiness::Closed => self.closed(),
            Readiness::Orphaned => {
                self.is_orphaned = true;
                Input::Orphaned
            }
        }
    }

    fn closed(&self) -> Input {
        Input::Closed { clean: self.shared.zk.state().phase == Phase::Closed(CloseReason::Clean) }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Acquire(kind) => {
                let permits = match kind {
                    Permit::Step => self.shared.steps.clone(),
                    Permit::Leave => self.shared.leaves.clone(),
                };
                self.permit_to_come = Some(Box::pin(async move {
                    match permits.acquire_owned().await {
                        Ok(permit) => permit,
                        // The semaphore is never closed.
                        Err(_) => pending().await,
                    }
                }));
            }
            Effect::Release => (self.permit_to_come, self.permit) = (None, None),
            Effect::Request(request) => self.request = self.send(request),
            Effect::Report { status, took_over } => self.reporter.report(status, took_over),
            Effect::Note(fact) => self.reporter.note(fact),
            // The task has ended.
            Effect::Finish(_) => {}
        }
    }

    fn send(&mut self, request: Request) -> Option<BoxFuture<'static, Answer>> {
        if let Request::Create(_) = request {
            self.roots = self.shared.roots.ticket();
        }
        let (shared, path, connection) = (self.shared.clone(), self.path.clone(), self.connection.clone()?);
        let (roots, syncs) = (self.roots, shared.syncs.ticket());
        Some(Target { shared, path, connection, roots, syncs }.send(request))
    }
}

/// The output of a future that is under way, if there is one; it is taken out then.
async fn out_of<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(under_way) => {
            let output = under_way.await;
            *future = None;
            output
        }
        None => pending().await,
    }
}

/// Waits for the event of a watch, if there is one. A watch whose connection has ended reports nothing.
async fn fired(watch: &mut Option<OneShot>) -> EventKind {
    if let Some(armed) = watch {
        let kind = armed.fired().await;
        *watch = None;
        if let Some(kind) = kind {
            return kind;
        }
    }
    pending().await
}

/// Waits until the caller wants something else. A dropped registration has made its last wish.
async fn changed(wish: &mut watch::Receiver<Wish>) {
    if wish.changed().await.is_err() {
        pending().await
    }
}

#[cfg(test)]
mod tests;
