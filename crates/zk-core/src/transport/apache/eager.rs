//! A task that runs inside the calls that wake it.
//!
//! While bytes arrive without a pause, the task of the client crate does not return, and nothing else runs on the
//! session thread; what it queues meanwhile has no bound. An eager task takes it at once, inside the call that has queued
//! it, and can end the crate's task.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use futures_util::future::poll_fn;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::task::{Broken, Task};

/// Counts how often the thread has run anything but the crate's task.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaths(Arc<AtomicUsize>);

impl Breaths {
    /// A number that changes with each breath.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// How a task has ended; an error is its panic, which belongs to the session thread and not to the crate's task.
type End = Result<ControlFlow<Broken>, Box<dyn Any + Send>>;

struct Eager {
    /// `None` when it has ended.
    task: Mutex<Option<Task>>,
    end: Mutex<Option<End>>,
    /// The only thread on which it is polled.
    thread: ThreadId,
    /// Wakes the thread.
    outer: AtomicWaker,
}

/// Makes a task eager. It must be made on the session thread, and polled there.
pub(super) fn eager(task: Task, breaths: Breaths) -> Task {
    let (task, end, thread) = (Mutex::new(Some(task)), Mutex::default(), thread::current().id());
    let owner = Owner(Arc::new(Eager { task, end, thread, outer: AtomicWaker::new() }));
    Box::pin(poll_fn(move |context| {
        owner.0.outer.register(context.waker());
        breaths.0.fetch_add(1, Ordering::Relaxed);
        owner.0.poll();
        let end = owner.0.end.lock().take();
        end.map_or(Poll::Pending, |end| Poll::Ready(end.unwrap_or_else(|panic| resume_unwind(panic))))
    }))
}

/// Drops the task with the future that [`eager`] returned, although wakers refer to it.
struct Owner(Arc<Eager>);

impl Drop for Owner {
    fn drop(&mut self) {
        let task = self.0.task.lock().take();
        drop(task);
    }
}

impl Eager {
    /// Polls the task, unless that is under way.
    fn poll(self: &Arc<Self>) {
        let Some(mut task) = self.task.try_lock() else { return };
        let Some(running) = task.as_mut() else { return };
        let waker = Waker::from(self.clone());
        // Unwind safe: it is not polled again after a panic.
        let polled =
            catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut Context::from_waker(&waker))));
        let end = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(end)) => Ok(end),
            Err(panic) => Err(panic),
        };
        *task = None;
        *self.end.lock() = Some(end);
    }
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        // While a panic unwinds the crate's task, its watchers must not be polled (D6).
        let is_inside = thread::current().id() == self.thread && !thread::panicking();
        if is_inside {
            self.poll();
        }
        self.outer.wake();
        if is_inside && cfg!(panic = "unwind") && matches!(&*self.end.lock(), Some(Ok(ControlFlow::Break(_))))
        {
            // Ends the crate's task and closes its socket: it might not return. No hook runs, as this is no bug here.
            resume_unwind(Box::new("the connection is broken"));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::mpsc;

    use super::*;

    /// A task that takes numbers: 0 ends it, 1 breaks the connection, 2 panics.
    fn task() -> (mpsc::UnboundedSender<u32>, Arc<AtomicUsize>, Task) {
        let (numbers, mut receiver) = mpsc::unbounded_channel();
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        let task = Box::pin(async move {
            while let Some(number) = receiver.recv().await {
                counted.fetch_add(1, Ordering::SeqCst);
                match number {
                    0 => break,
                    1 => return ControlFlow::Break(Broken { cause: "broken".into(), queue: None }),
                    2 => panic!("a bug"),
                    _ => {}
                }
            }
            ControlFlow::Continue(())
        });
        (numbers, taken, eager(task, Breaths::default()))
    }

    #[test]
    fn a_task_runs_inside_the_call_that_wakes_it() {
        let (numbers, taken, mut task) = task();
        assert!(task.as_mut().now_or_never().is_none());
        for count in 1..=3 {
            numbers.send(9).unwrap();
            assert_eq!(taken.load(Ordering::SeqCst), count);
        }
        // On another thread it waits for its own.
        let other = numbers.clone();
        thread::spawn(move || other.send(9).unwrap()).join().unwrap();
        assert_eq!(taken.load(Ordering::SeqCst), 3);
        numbers.send(0).unwrap();
        assert!(matches!(task.now_or_never(), Some(ControlFlow::Continue(()))));
        assert_eq!(taken.load(Ordering::SeqCst), 5);
    }

    #[test]
    fn a_task_that_breaks_the_connection_unwinds_the_call_that_wakes_it() {
        let (numbers, _, mut task) = task();
        assert!(task.as_mut().now_or_never().is_none());
        let call = catch_unwind(AssertUnwindSafe(|| numbers.send(1)));
        assert!(call.is_err(), "the call does not return");
        let Some(ControlFlow::Break(broken)) = task.now_or_never() else {
            panic!("the connection is broken")
        };
        assert_eq!(broken.cause, "broken");
    }

    #[test]
    fn a_panic_of_the_task_reaches_its_owner_and_not_the_call_that_wakes_it() {
        let (numbers, _, mut task) = task();
        assert!(task.as_mut().now_or_never().is_none());
        numbers.send(2).unwrap();
        let panic = catch_unwind(AssertUnwindSafe(|| task.now_or_never())).err().expect("a panic");
        assert_eq!(panic.downcast_ref(), Some(&"a bug"));
    }

    #[test]
    fn a_dropped_task_is_gone_although_its_waker_is_known() {
        let (numbers, taken, mut task) = task();
        assert!(task.as_mut().now_or_never().is_none());
        drop(task);
        assert!(numbers.send(9).is_err(), "the receiver is gone");
        assert_eq!(taken.load(Ordering::SeqCst), 0);
    }
}
