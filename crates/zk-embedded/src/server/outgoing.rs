use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// From here on no further request of the connection is carried out until its client has read.
const FULL: usize = 4 << 20;
/// So far down the client has to read before that.
const DRAINED: usize = FULL / 2;
/// From here on the connection is cut: watch events come unasked, so that a stop of the requests does not keep them away.
const OVERFLOW: usize = 16 << 20;
/// How much is written at once.
const CHUNK: usize = 64 << 10;

/// The frames on their way to one client: a queue between the task of the machine, which never waits, and the connection.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    queue: Mutex<Queue>,
    changed: Notify,
    aborted: CancellationToken,
    finished: CancellationToken,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    /// In `frames`, and taken from there and not written yet.
    bytes: usize,
    /// The task of the machine waits for the client to read.
    awaited: bool,
    /// Nothing leaves, by a fault.
    paused: bool,
    /// Nothing follows.
    finished: bool,
}

#[derive(Debug)]
struct Frame {
    bytes: Vec<u8>,
    not_before: Option<Instant>,
}

/// The client has not read for so long that its connection has to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outgoing {
    /// Appends a frame, which leaves behind all before it, and not before its time.
    pub(super) fn push(&self, bytes: Vec<u8>, not_before: Option<Instant>) -> Result<(), Overflow> {
        let mut queue = self.queue.lock();
        if queue.finished {
            return Ok(());
        }
        if queue.bytes > OVERFLOW {
            return Err(Overflow);
        }
        queue.bytes += bytes.len();
        queue.frames.push_back(Frame { bytes, not_before });
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Whether so much is queued that no more requests should be carried out; if so, [`written`](Self::written) returns
    /// when to go on.
    pub(super) fn is_full(&self) -> bool {
        let mut queue = self.queue.lock();
        queue.awaited = queue.bytes >= FULL;
        queue.awaited
    }

    /// Keeps everything back, or lets it go.
    pub(super) fn pause(&self, paused: bool) {
        self.queue.lock().paused = paused;
        self.changed.notify_one();
    }

    /// Closes the connection when all that is queued has left.
    pub(super) fn finish(&self) {
        self.queue.lock().finished = true;
        self.changed.notify_one();
        self.finished.cancel();
    }

    /// Closes the connection at once.
    pub(super) fn abort(&self) {
        self.aborted.cancel();
    }

    /// Waits for [`abort`](Self::abort).
    pub(super) async fn aborted(&self) {
        self.aborted.cancelled().await;
    }

    /// Waits for [`finish`](Self::finish).
    pub(super) async fn finished(&self) {
        self.finished.cancelled().await;
    }

    /// Waits for something to write and puts it into the buffer, which stays empty when nothing follows.
    pub(super) async fn next(&self, buffer: &mut Vec<u8>) {
        loop {
            let wait = {
                let mut queue = self.queue.lock();
                if queue.paused {
                    None
                } else {
                    queue.take(buffer);
                    if !buffer.is_empty() || (queue.finished && queue.frames.is_empty()) {
                        return;
                    }
                    queue.frames.front().and_then(|frame| frame.not_before)
                }
            };
            // A change since the lock was released is not missed: it leaves a permit.
            match wait {
                None => self.changed.notified().await,
                Some(time) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_until(time) => {}
                },
            }
        }
    }

    /// Counts bytes that were written; returns whether the engine waits for this.
    pub(super) fn written(&self, bytes: usize) -> bool {
        let mut queue = self.queue.lock();
        queue.bytes -= bytes;
        queue.awaited && queue.bytes <= DRAINED
    }
}

impl Queue {
    fn take(&mut self, buffer: &mut Vec<u8>) {
        while buffer.len() < CHUNK
            && let Some(frame) = self.frames.front()
            && frame.not_before.is_none_or(|time| time <= Instant::now())
        {
            let frame = self.frames.pop_front().expect("there is a front");
            if buffer.is_empty() {
                *buffer = frame.bytes;
            } else {
                buffer.extend(frame.bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_that_never_reads_is_disconnected_before_memory_runs_out() {
        let outgoing = Outgoing::default();
        let frame = || vec![0; 1 << 20];
        let pushed = (0..1000).take_while(|_| outgoing.push(frame(), None).is_ok()).count();
        assert_eq!(pushed, 17);
    }

    #[tokio::test]
    async fn a_full_queue_reports_when_it_has_drained() {
        let outgoing = Outgoing::default();
        while !outgoing.is_full() {
            assert_eq!(outgoing.push(vec![0; 1 << 20], None), Ok(()));
        }
        let mut drained = Vec::new();
        for _ in 0..4 {
            let mut buffer = Vec::new();
            outgoing.next(&mut buffer).await;
            drained.push(outgoing.written(buffer.len()));
        }
        assert_eq!(drained, [false, true, true, true]);
        assert!(!outgoing.is_full());
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_frame_holds_up_those_behind_it() {
        let outgoing = Outgoing::default();
        let start = Instant::now();
        for (frame, delay) in [(1, None), (2, Some(Duration::from_secs(1))), (3, None)] {
            assert_eq!(outgoing.push(vec![frame], delay.map(|delay| start + delay)), Ok(()));
        }
        let mut buffer = Vec::new();
        outgoing.next(&mut buffer).await;
        assert_eq!((buffer.as_slice(), start.elapsed()), (&[1][..], Duration::ZERO));
        buffer.clear();
        outgoing.next(&mut buffer).await;
        assert_eq!(buffer, [2, 3]);
        assert!(start.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test]
    async fn queued_frames_are_sent_before_the_end() {
        let outgoing = Outgoing::default();
        assert_eq!(outgoing.push(vec![1], None), Ok(()));
        outgoing.finish();
        assert_eq!(outgoing.push(vec![2], None), Ok(()));
        let mut buffer = Vec::new();
        outgoing.next(&mut buffer).await;
        assert_eq!(buffer, [1]);
        buffer.clear();
        outgoing.next(&mut buffer).await;
        assert_eq!(buffer, []);
    }
}
