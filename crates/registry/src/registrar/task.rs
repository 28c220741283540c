//! The registrar's task: does once on each connection what all keepers of a registrar need.
//!
//! It prepares each connection by a [`RootWatch`], and publishes it. With many names the root is followed, and the events
//! of its children go to the keepers by name. Where every creation and deletion since an earlier connection was
//! reported, the keepers need not read their znodes again.

use std::future::pending;
use std::sync::Arc;

use root_watch::{Lists, Live, RootWatch, Update};
use tokio::sync::watch;
use tracing::{Instrument, debug, info, info_span};
use zk_core::{Connection, EventKind, Zk};

use crate::readiness::{ConnectionId, Readiness, Ready, ReadyConnection, Watched};
use crate::shared::{Context, Shared};

struct Task {
    zk: Zk,
    context: Context,
    root_watch: RootWatch,
    /// The number of the ready connection in use, or of the last one.
    number: u64,
    /// Since the ready connection of this number, everything that was created or deleted was reported.
    unchanged_since: u64,
}

/// Starts the task. It ends when the link is closed or the last clone of the receiver is dropped.
pub(super) fn spawn(shared: &Shared) -> watch::Receiver<()> {
    let (wanted, is_wanted) = watch::channel(());
    let (zk, context, root) = (shared.zk.clone(), shared.context.clone(), shared.config.root());
    let followed = root_watch::RootWatchConfig::new(root.clone(), Lists::AuditOnly)
        .with_audit_interval(shared.config.audit_interval())
        .without_one_shot();
    let root_watch = RootWatch::new(&zk, followed);
    let task = Task { zk, context, root_watch, number: 0, unchanged_since: 0 };
    shared.tasks.spawn(task.run(wanted).instrument(info_span!("registrar", %root)));
    is_wanted
}

impl Task {
    async fn run(mut self, wanted: watch::Sender<()>) {
        let context = self.context.clone();
        tokio::select! {
            biased;
            () = wanted.closed() => {}
            () = self.follow() => {}
            () = context.log.summaries(&context.metrics) => {}
        }
        context.log.summary(&context.metrics);
    }

    /// Returns when the link is closed.
    async fn follow(&mut self) {
        let (context, mut connection) = (self.context.clone(), self.zk.connection());
        loop {
            tokio::select! {
                biased;
                () = context.names.until_shared_watch_needed() => {
                    self.root_watch.set_followed(context.names.needs_shared_watch());
                }
                update = self.root_watch.next() => {
                    if let Update::Closed = update {
                        return;
                    }
                    self.apply(update);
                }
                another = another(&self.zk, connection.as_ref()) => {
                    connection = another;
                    // A leave needs no prepared connection.
                    context.names.wake();
                }
            }
        }
    }

    fn apply(&mut self, update: Update) {
        let names = &self.context.names;
        match update {
            Update::Down | Update::Closed => {
                // Few names again: from the next connection on they have a watch each.
                self.root_watch.set_followed(names.recount());
                names.publish(Readiness::Unlinked);
            }
            Update::Lost => names.publish(Readiness::Unprepared(None)),
            Update::Trouble(error) => {
                debug!(%error, "root watch or sync failed, retrying");
                names.publish(Readiness::Unprepared(Some(error.into())));
            }
            Update::Live(live) => self.publish(live),
            // Keepers know of the znodes that they create, and others' come after a deletion of ours.
            Update::Created(_) => {}
            Update::Written(name) => names.notify(&name, EventKind::DataChanged),
            Update::Deleted { name, .. } => names.notify(&name, EventKind::Deleted),
            // Of an audit, or of a root that was deleted.
            Update::Listed(listing) => {
                let missing = names.notify_missing(&listing.names);
                debug!(missing, "list compared with the registrations");
            }
            Update::Audited => debug!("audit: list as it was reported"),
            Update::Records { .. } => {}
        }
    }

    fn publish(&mut self, live: Live) {
        self.number += 1;
        if !live.whole {
            self.unchanged_since = self.number;
        }
        let watched = match live.watched {
            root_watch::Watched::Recursive => {
                info!(registrations = self.context.names.len(), "shared watch installed");
                Watched::Shared { unchanged_since: self.unchanged_since }
            }
            root_watch::Watched::No => Watched::Own { always: false },
            root_watch::Watched::Unsupported | root_watch::Watched::OneShot => Watched::Own { always: true },
        };
        let ready = Ready { number: self.number, on: ConnectionId::of(&live.connection), watched };
        let ready = ReadyConnection { connection: live.connection, ready };
        self.context.names.publish(Readiness::Ready(Arc::new(ready)));
    }
}

/// However the task ends: without it, no connection is prepared any more.
impl Drop for Task {
    fn drop(&mut self) {
        let is_closed = self.zk.state().is_closed();
        self.context.names.publish(if is_closed { Readiness::Closed } else { Readiness::Orphaned });
    }
}

/// Waits until the link has another connection than this one, or none.
async fn another(zk: &Zk, connection: Option<&Connection>) -> Option<Connection> {
    match connection {
        Some(connection) => {
            connection.ended().await;
            zk.connection()
        }
        None => match zk.connected().await {
            Ok(connection) => Some(connection),
            // The root watch says so, too.
            Err(_) => pending().await,
        },
    }
}
