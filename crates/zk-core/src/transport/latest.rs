//! A channel that keeps the latest value, as tokio's `watch` does, and wakes its receivers in the order in which they
//! began to wait.
//!
//! `watch` draws that order from a generator that no seed reaches. Then the tasks that wait for a connection, or for its
//! end, go on, and send their requests, in another order in each run. This one rests on `Notify::notify_waiters`, which is
//! first come, first served: on a runtime of one thread a seed replays the order, too.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::coop::cooperative;

/// A channel whose first value counts as seen.
pub fn channel<T>(first: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(first);
    let receiver = sender.subscribe();
    (sender, receiver)
}

/// Changes the value. When the last clone is dropped the channel ends, and keeps its value.
pub struct Sender<T>(Arc<Ending<T>>);

/// Reads the value, and waits for others. Cheap to clone; a clone has seen what this one has.
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    /// The number of the value that was seen last.
    seen: u64,
}

struct Channel<T> {
    slot: Mutex<Slot<T>>,
    /// After every change, and at the end.
    changed: Notify,
}

struct Slot<T> {
    /// Readers share it, so that nothing runs under the lock on their side.
    value: Arc<T>,
    number: u64,
    has_ended: bool,
}

/// Ends the channel when it is dropped.
struct Ending<T>(Arc<Channel<T>>);

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.slot.lock().has_ended = true;
        self.0.changed.notify_waiters();
    }
}

impl<T> Sender<T> {
    /// A channel without a receiver yet.
    pub fn new(first: T) -> Self {
        let slot = Mutex::new(Slot { value: Arc::new(first), number: 0, has_ended: false });
        Self(Arc::new(Ending(Arc::new(Channel { slot, changed: Notify::new() }))))
    }

    /// A receiver that has seen the present value.
    pub fn subscribe(&self) -> Receiver<T> {
        let channel = self.0.0.clone();
        let seen = channel.slot.lock().number;
        Receiver { channel, seen }
    }

    /// The latest value.
    pub fn latest(&self) -> Arc<T> {
        self.0.0.slot.lock().value.clone()
    }
}

impl<T: Clone> Sender<T> {
    /// Replaces the value.
    pub fn send(&self, value: T) {
        self.send_modify(|latest| *latest = value);
    }

    /// Changes the value in place. `change` must not use this channel.
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// As [`send_modify`](Self::send_modify); no receiver is told if `change` returns false.
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) {
        let channel = &self.0.0;
        {
            let mut slot = channel.slot.lock();
            if !change(Arc::make_mut(&mut slot.value)) {
                return;
            }
            slot.number += 1;
        }
        channel.changed.notify_waiters();
    }
}

impl<T> Receiver<T> {
    /// The latest value; whether it counts as seen stays as it is.
    pub fn latest(&self) -> Arc<T> {
        self.channel.slot.lock().value.clone()
    }

    /// The latest value, which then counts as seen.
    pub fn see(&mut self) -> Arc<T> {
        let slot = self.channel.slot.lock();
        self.seen = slot.number;
        slot.value.clone()
    }

    /// Whether all senders are gone.
    pub fn has_ended(&self) -> bool {
        self.channel.slot.lock().has_ended
    }

    /// Waits for a value that was not seen, which then counts as seen; `None` when the channel has ended and its last value
    /// was seen.
    ///
    /// # Cancel safety
    /// No value is lost if the future is dropped. It loses its place among those that wait.
    pub async fn changed(&mut self) -> Option<Arc<T>> {
        cooperative(self.next()).await
    }

    /// Waits for a value that satisfies `wanted`, seen or not; `None` if the channel ends before that.
    ///
    /// # Cancel safety
    /// Safe. The values that were tried count as seen.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Option<Arc<T>> {
        let find = async {
            let mut value = self.see();
            while !wanted(&value) {
                // Not kept while this waits: a sender would have to copy it.
                drop(value);
                value = self.next().await?;
            }
            Some(value)
        };
        cooperative(find).await
    }

    async fn next(&mut self) -> Option<Arc<T>> {
        loop {
            // Before the look at the value, so that no change after it is missed.
            let changed = self.channel.changed.notified();
            {
                let slot = self.channel.slot.lock();
                if slot.number != self.seen {
                    self.seen = slot.number;
                    return Some(slot.value.clone());
                }
                if slot.has_ended {
                    return None;
                }
            }
            changed.await;
        }
    }
}

// By hand: a derived one asks for `T: Clone`.
impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { channel: self.channel.clone(), seen: self.seen }
    }
}

// By hand: a derived one shows addresses.
impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.latest()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.latest()).finish()
    }
}

#[cfg(test)]
mod tests;
