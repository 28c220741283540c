//! Differences between snapshots.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use instance::Instance;
use tokio::sync::watch;
use tokio_util::sync::ReusableBoxFuture;

use crate::snapshot::Snapshot;
use crate::view::View;

/// A difference between two snapshots.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The whole set: first, and whenever the reader fell behind. It replaces all that the reader knows.
    Reset(Arc<Snapshot>),
    /// A new instance.
    Added(Arc<Instance>),
    /// The same endpoint with another record: written in place, or by another process that took the name
    /// over. Only with [`Records::Read`](crate::Records::Read).
    Updated {
        /// As it was.
        old: Arc<Instance>,
        /// As it is.
        new: Arc<Instance>,
    },
    /// An instance that was removed.
    Removed(Arc<Instance>),
}

/// Lists the changes that lead from one snapshot to another, sorted by endpoint; a [`Change::Reset`] is never
/// among them.
pub fn diff(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let (mut old, mut new) = (old.instances().peekable(), new.instances().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            // Most have not changed, and share their memory.
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => Ordering::Equal,
            (Some(old), Some(new)) => old.endpoint().cmp(new.endpoint()),
        };
        let gone = if order.is_le() { old.next() } else { None };
        let come = if order.is_ge() { new.next() } else { None };
        match (gone, come) {
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => changes.push(Change::Updated { old: old.clone(), new: new.clone() }),
            (Some(old), None) => changes.push(Change::Removed(old.clone())),
            (None, Some(new)) => changes.push(Change::Added(new.clone())),
            (None, None) => {}
        }
    }
}

/// The changes of a view, one by one: first a [`Change::Reset`], then each difference. A reader that falls
/// behind by more than one snapshot gets another `Reset` instead of a gap; changes do not pile up meanwhile.
///
/// A [`Stream`], which ends when following has ended.
#[derive(Debug)]
pub struct Changes {
    next_view: ReusableBoxFuture<'static, NextView>,
    /// The snapshot that the changes so far, queued ones included, lead to.
    reported: Option<Arc<Snapshot>>,
    queued: VecDeque<Change>,
}

/// The channel with another view, or without a sender.
type NextView = (watch::Receiver<Arc<View>>, Result<(), watch::error::RecvError>);

async fn next_view(mut views: watch::Receiver<Arc<View>>) -> NextView {
    let changed = views.changed().await;
    (views, changed)
}

impl Changes {
    pub(crate) fn new(mut views: watch::Receiver<Arc<View>>) -> Self {
        views.mark_changed();
        let next_view = ReusableBoxFuture::new(next_view(views));
        Self { next_view, reported: None, queued: VecDeque::new() }
    }

    /// The next change; `None` when following has ended.
    ///
    /// # Cancel safety
    /// No change is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Change> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Queues what leads to another snapshot.
    fn lead_to(&mut self, now: Arc<Snapshot>) {
        match &self.reported {
            Some(reported) if reported.revision() == now.revision() => {}
            Some(reported) if reported.revision() + 1 == now.revision() => {
                self.queued.extend(diff(reported, &now));
            }
            _ => self.queued.push_back(Change::Reset(now.clone())),
        }
        self.reported = Some(now);
    }
}

impl Stream for Changes {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        loop {
            if let Some(change) = self.queued.pop_front() {
                return Poll::Ready(Some(change));
            }
            let (mut views, changed) = ready!(self.next_view.poll(context));
            let now = views.borrow_and_update().snapshot.clone();
            self.next_view.set(next_view(views));
            if changed.is_err() {
                return Poll::Ready(None);
            }
            now.into_iter().for_each(|now| self.lead_to(now));
        }
    }
}

/// One line: `+ 10.0.0.7:80`, `- 10.0.0.7:80`, `~ 10.0.0.7:80 weight=50 zone=a`, `= 3 instances`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset(snapshot) => write!(f, "= {} instances", snapshot.len()),
            Self::Added(instance) => write!(f, "+ {}", instance.endpoint()),
            Self::Updated { new, .. } => write!(f, "~ {new}"),
            Self::Removed(instance) => write!(f, "- {}", instance.endpoint()),
        }
    }
}

#[cfg(test)]
mod tests;
