//! Brings up what the client crate takes for granted.
//!
//! D8: its sockets and timers belong to the reactor of `async-io`: one for the process, made when it is first
//! used, with a thread that is started before the rest is made. Where no file descriptor is free at that moment
//! the thread panics, and whatever is made of the reactor later, no thread drives it: no connection comes about for
//! the life of the process.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use async_io::Timer;
use parking_lot::Mutex;

/// What the reactor is made of: an epoll instance, an eventfd and a timerfd.
const DESCRIPTORS: usize = 3;

/// How long a timer may be late before the reactor is taken for dead. Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes sure that there is a reactor and that its thread drives it. Quick, but where nobody does: then it takes
/// [`PATIENCE`].
///
/// # Errors
/// If it cannot be made now, because file descriptors or threads are short. Nothing is spoilt by that: the next
/// call tries anew. If its thread is dead, as somebody else has used it when descriptors were short, every call says so.
pub(super) fn start() -> io::Result<()> {
    static RUNNING: Mutex<bool> = Mutex::new(false);
    let mut running = RUNNING.lock();
    if *running {
        return Ok(());
    }
    // The crate would not return an error. Any kind of descriptor does; this one needs no file and no network.
    let room: Vec<_> = (0..DESCRIPTORS).map(|_| UnixDatagram::unbound()).collect::<io::Result<_>>()?;
    drop(room);
    if !is_driven() {
        return Err(io::Error::other(
            "its thread is dead: async-io was used in this process when file descriptors were short; nothing but a \
             new process puts that right",
        ));
    }
    *running = true;
    Ok(())
}

/// Whether a timer fires. This thread does not drive the reactor, so another one does.
fn is_driven() -> bool {
    // A reactor that cannot be made panics.
    catch_unwind(|| {
        let (fired, firing) = sync_channel(1);
        let waker = Waker::from(Arc::new(Notify(fired)));
        let mut delay = Duration::from_millis(1);
        let mut timer = Box::pin(Timer::after(delay));
        // One that is due by the time it is looked at has not gone through the reactor, and proves nothing.
        while timer.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            delay *= 2;
            timer = Box::pin(Timer::after(delay));
        }
        firing.recv_timeout(delay + PATIENCE).is_ok()
    })
    .unwrap_or(false)
}

struct Notify(SyncSender<()>);

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        // It is full where that has been told already.
        let _ = self.0.try_send(());
    }
}
