//! The tasks of recursive watches.

use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use zookeeper_client as zk;

use super::convert::event_kind;
use super::eager::Breaths;
use super::task::{Broken, Task};
use super::watches::until_dropped;
use crate::path::ZnodePath;
use crate::transport::event::Event;
use crate::transport::stat::Zxid;

/// How many events the queue of a watch takes. One more ends the watch, and its reader reads everything again.
/// An event takes about a hundred bytes.
const EVENTS_WAITING: usize = 16_384;

/// How many events may arrive before the thread gets to do anything else; more end the connection. The buffers of a
/// socket take far fewer, and the thread reads faster than any ZooKeeper writes.
const LONGEST_RUN: usize = 1 << 18;

/// A watch that nobody reads any more stays while there are as many events in a [`PERIOD`], and they are dropped. Without
/// a watch, each of them would make the crate send a request, for which it keeps memory until there is a reply.
const BUSY: usize = 64;
const PERIOD: Duration = Duration::from_millis(500);
/// How many periods in a row must have fewer: after a time in which the thread did not run, the first one has none.
const QUIET: usize = 2;

/// The receiver of the events of a recursive watcher, and the task that delivers them, which has to be
/// [eager](super::eager).
pub(super) fn follow(watcher: zk::PersistentWatcher, breaths: Breaths) -> (mpsc::Receiver<Event>, Task) {
    let (events, receiver) = mpsc::channel(EVENTS_WAITING);
    let watch =
        Watch { watcher, period: Instant::now(), busy: 0, before: 0, last: breaths.count(), run: 0, breaths };
    (receiver, Box::pin(watch.keep(events)))
}

struct Watch {
    watcher: zk::PersistentWatcher,
    /// When the period began, how many events it has had, and how many the one before.
    period: Instant,
    busy: usize,
    before: usize,
    /// How many events have come since this breath.
    run: usize,
    last: usize,
    breaths: Breaths,
}

impl Watch {
    async fn keep(mut self, events: mpsc::Sender<Event>) -> ControlFlow<Broken> {
        if let ControlFlow::Break(cause) = self.forward(&events).await {
            return ControlFlow::Break(Broken { cause, queue: Some(events) });
        }
        // A reader finds the end of the watch.
        drop(events);
        self.discard().await.map_break(|cause| Broken { cause, queue: None })
    }

    /// Forwards the events, until nobody reads them or the queue is full.
    async fn forward(&mut self, events: &mpsc::Sender<Event>) -> ControlFlow<String> {
        loop {
            let event = tokio::select! {
                biased;
                // Nobody reads any more.
                () = events.closed() => return ControlFlow::Continue(()),
                event = self.watcher.changed() => event,
            };
            self.count(&event).await?;
            let (Some(kind), Ok(path)) = (event_kind(event.event_type), ZnodePath::parse(&event.path)) else {
                continue;
            };
            let zxid = (event.zxid > 0).then_some(Zxid(event.zxid));
            if events.try_send(Event { kind, path, zxid, at: Instant::now() }).is_err() {
                // Full: the reader is far behind, and reading everything again is cheaper for it than all these events.
                tracing::warn!(events = EVENTS_WAITING, "watch queue is full, ending the watch");
                return ControlFlow::Continue(());
            }
        }
    }

    /// Drops events for as long as there are many, and then the watch.
    async fn discard(&mut self) -> ControlFlow<String> {
        let is_busy = self.busy.max(self.before) >= BUSY && self.period.elapsed() < 2 * PERIOD;
        let mut quiet = if is_busy { 0 } else { QUIET };
        while quiet < QUIET {
            let mut rest = pin!(sleep(PERIOD));
            let mut dropped = 0;
            loop {
                tokio::select! {
                    biased;
                    event = self.watcher.changed() => self.count(&event).await?,
                    () = &mut rest => break,
                }
                dropped += 1;
            }
            quiet = if dropped < BUSY { quiet + 1 } else { 0 };
        }
        ControlFlow::Continue(())
    }

    /// Counts an event. Waits for the end if it is that of the session. D1: after a reconnect the watcher would be silent
    /// for ever; D6: after the end of the session it would panic. So it is not asked again after a session event.
    async fn count(&mut self, event: &zk::WatchedEvent) -> ControlFlow<String> {
        if event.event_type == zk::EventType::Session {
            until_dropped().await;
        }
        let elapsed = self.period.elapsed();
        if elapsed >= PERIOD {
            self.before = if elapsed < 2 * PERIOD { self.busy } else { 0 };
            (self.period, self.busy) = (Instant::now(), 0);
        }
        self.busy += 1;
        let breath = self.breaths.count();
        if self.last != breath {
            (self.last, self.run) = (breath, 0);
        }
        self.run += 1;
        if self.run > LONGEST_RUN && cfg!(panic = "unwind") {
            return ControlFlow::Break(format!(
                "the server sends events without a pause, {LONGEST_RUN} so far"
            ));
        }
        ControlFlow::Continue(())
    }
}
