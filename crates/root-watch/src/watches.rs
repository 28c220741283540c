//! The watches that are set on one connection.

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::task::coop::unconstrained;
use zk_core::{EventKind, OneShot, WatchStream};

use crate::io::{Input, Received};

/// The recursive watch, or the watches that fire once.
#[derive(Default)]
pub(crate) struct Watches {
    pub(crate) events: Option<WatchStream>,
    pub(crate) list: Option<OneShot>,
    /// Return the name and the event.
    records: FuturesUnordered<BoxFuture<'static, (String, Option<EventKind>)>>,
}

impl Watches {
    pub(crate) fn watch_record(&mut self, name: String, mut watch: OneShot) {
        self.records.push(async move { (name, watch.fired().await) }.boxed());
    }

    /// Waits for what a watch has to report; with `events`, the recursive one, too. For ever if there is none.
    ///
    /// Watches on records have priority over the list: a change before the reply of a list is an update before it.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self, events: bool) -> Input {
        let Self { events: stream, list, records } = self;
        tokio::select! {
            biased;
            event = async { stream.as_mut()?.next().await }, if events && stream.is_some() => {
                event.map_or(Input::WatchEnded, |event| Input::Event(Received(event)))
            }
            Some((name, kind)) = records.next(), if !records.is_empty() => kind.map_or(
                Input::WatchEnded,
                |kind| Input::RecordFired { name, deleted: kind == EventKind::Deleted },
            ),
            kind = async { list.as_mut()?.fired().await }, if list.is_some() => {
                *list = None;
                kind.map_or(Input::WatchEnded, |_| Input::ListFired)
            }
            else => std::future::pending().await,
        }
    }

    /// What a watch has reported already, other than its end.
    pub(crate) fn try_next(&mut self) -> Option<Input> {
        if let Some(stream) = &mut self.events {
            return stream.try_next().map(|event| Input::Event(Received(event)));
        }
        // Outside of the task's budget, which would hide what has arrived.
        let input = unconstrained(self.next(false)).now_or_never();
        input.filter(|input| !matches!(input, Input::WatchEnded))
    }
}
