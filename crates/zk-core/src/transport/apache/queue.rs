//! The queue between the callers of a transport and its session thread.
//!
//! It has room for everything that may be in flight and no more: a job keeps its [`Turn`](crate::transport::Turn) until
//! it has left the queue, also when its caller has given up. A thread that is stuck keeps at most that much.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::task::coop::consume_budget;

use crate::error::ErrorKind;
use crate::transport::turn::IN_FLIGHT;

/// Room for all requests that may be in flight, and for the periodic check, which needs no turn. A close needs no room.
const ROOM: usize = IN_FLIGHT + 1;

/// What a session thread has to do next.
pub(super) enum Command<J> {
    /// Run a job.
    Run(J),
    /// Close the session, and say whether the ensemble has confirmed.
    Close(oneshot::Sender<bool>),
}

/// Makes an empty queue.
pub(super) fn queue<J>() -> (Sender<J>, Receiver<J>) {
    let waiting = Waiting { jobs: VecDeque::new(), close: None, is_open: true };
    let shared = Arc::new(Shared { waiting: Mutex::new(waiting), arrived: Notify::new() });
    (Sender(shared.clone()), Receiver(shared))
}

struct Shared<J> {
    waiting: Mutex<Waiting<J>>,
    arrived: Notify,
}

struct Waiting<J> {
    jobs: VecDeque<J>,
    /// It follows all jobs.
    close: Option<oneshot::Sender<bool>>,
    /// Whether both ends exist, and no close was requested.
    is_open: bool,
}

impl<J> Shared<J> {
    /// Drops all that waits: the turns come back, and the callers find that there is no reply.
    fn clear(&self) {
        let mut waiting = self.waiting.lock();
        waiting.is_open = false;
        let dropped = (mem::take(&mut waiting.jobs), waiting.close.take());
        // A job wakes its caller when it is dropped.
        drop(waiting);
        drop(dropped);
        self.arrived.notify_one();
    }
}

/// The end of the callers. `Drop` empties the queue, also if the thread is stuck.
pub(super) struct Sender<J>(Arc<Shared<J>>);

impl<J> Sender<J> {
    /// Appends a job.
    ///
    /// # Errors
    /// The job is dropped, with [`ErrorKind::Busy`] if there is no room, and with [`ErrorKind::NotConnected`] after a
    /// close and after the end of the thread.
    pub(super) fn run(&self, job: J) -> Result<(), ErrorKind> {
        let mut waiting = self.0.waiting.lock();
        let refusal = match waiting.is_open {
            true if waiting.jobs.len() < ROOM => {
                waiting.jobs.push_back(job);
                drop(waiting);
                self.0.arrived.notify_one();
                return Ok(());
            }
            true => ErrorKind::Busy,
            false => ErrorKind::NotConnected,
        };
        // Before the job, which wakes its caller.
        drop(waiting);
        Err(refusal)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.waiting.lock().jobs.len()
    }

    /// Requests the close, which always finds room: behind all jobs, and after it there are no more. Resolves when the
    /// thread has replied; to an error if it cannot, or if this is not the first close.
    pub(super) fn close(&self) -> oneshot::Receiver<bool> {
        let (confirm, confirmed) = oneshot::channel();
        let mut waiting = self.0.waiting.lock();
        if mem::take(&mut waiting.is_open) {
            waiting.close = Some(confirm);
        }
        drop(waiting);
        self.0.arrived.notify_one();
        confirmed
    }
}

impl<J> Drop for Sender<J> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// The end of the session thread. `Drop` empties the queue.
pub(super) struct Receiver<J>(Arc<Shared<J>>);

impl<J> Receiver<J> {
    /// The next command; `None` when the sender is gone, and after a close.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Option<Command<J>> {
        // Callers that never pause must not keep the client crate from its turn on this thread.
        consume_budget().await;
        loop {
            let arrived = self.0.arrived.notified();
            {
                let mut waiting = self.0.waiting.lock();
                if let Some(job) = waiting.jobs.pop_front() {
                    return Some(Command::Run(job));
                }
                if let Some(confirm) = waiting.close.take() {
                    return Some(Command::Close(confirm));
                }
                if !waiting.is_open {
                    return None;
                }
            }
            arrived.await;
        }
    }
}

impl<J> Drop for Receiver<J> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// A job that only counts how many of its kind exist.
    fn jobs() -> (Arc<()>, impl Fn() -> Arc<()>) {
        let count = Arc::new(());
        let job = count.clone();
        (count, move || job.clone())
    }

    #[test]
    fn a_queue_that_does_not_move_refuses_what_has_no_room_and_accepts_one_close() {
        let (count, job) = jobs();
        let others = Arc::strong_count(&count);
        let (sender, mut receiver) = queue();
        let refused = (0..10_000).filter(|_| sender.run(job()) == Err(ErrorKind::Busy)).count();
        assert_eq!(refused, 10_000 - ROOM);
        assert_eq!(Arc::strong_count(&count) - others, ROOM, "a refused job is dropped");

        let mut confirmed = sender.close();
        assert_eq!(sender.run(job()), Err(ErrorKind::NotConnected));
        assert!(sender.close().now_or_never().unwrap().is_err(), "there is one close");
        for _ in 0..ROOM {
            assert!(matches!(receiver.next().now_or_never(), Some(Some(Command::Run(_)))));
        }
        let Some(Some(Command::Close(confirm))) = receiver.next().now_or_never() else { panic!("a close") };
        confirm.send(true).unwrap();
        assert_eq!(confirmed.try_recv(), Ok(true));
        assert!(matches!(receiver.next().now_or_never(), Some(None)));
    }

    #[test]
    fn either_end_empties_the_queue_when_it_is_dropped() {
        let (count, job) = jobs();
        let others = Arc::strong_count(&count);
        let (sender, mut receiver) = queue();
        sender.run(job()).unwrap();
        drop(sender);
        assert_eq!(Arc::strong_count(&count), others, "although the thread has not looked");
        assert!(matches!(receiver.next().now_or_never(), Some(None)));

        let (sender, receiver) = queue();
        sender.run(job()).unwrap();
        let confirmed = sender.close();
        drop(receiver);
        assert_eq!(Arc::strong_count(&count), others);
        assert!(confirmed.now_or_never().unwrap().is_err());
        assert_eq!(sender.run(job()), Err(ErrorKind::NotConnected));
    }

    #[tokio::test]
    async fn a_command_that_arrives_while_nobody_waits_or_after_a_dropped_wait_is_found() {
        let (sender, mut receiver) = queue();
        assert!(receiver.next().now_or_never().is_none());
        sender.run(1).unwrap();
        assert!(matches!(receiver.next().await, Some(Command::Run(1))));
        let (next, ()) = tokio::join!(receiver.next(), async { sender.run(2).unwrap() });
        assert!(matches!(next, Some(Command::Run(2))));
    }
}
