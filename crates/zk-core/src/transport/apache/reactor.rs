//! Starts the I/O reactor that the client crate needs, and checks that it works.
//!
//! D8: the sockets and timers of the crate belong to the reactor of `async-io`. A process has one, which is created at
//! its first use, and its thread starts before the rest is created. If no file descriptor is free at that moment the
//! thread panics; the reactor may be created later, but no thread drives it, and no connection succeeds for the life of
//! the process.

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

/// The descriptors of the reactor: an epoll instance, an eventfd and a timerfd.
const DESCRIPTORS: usize = 3;

/// How late a timer may fire before the reactor counts as dead. Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts the reactor, unless it runs, and checks that its thread drives it. Quick; if the thread is dead it takes
/// [`PATIENCE`].
///
/// # Errors
/// * If file descriptors or threads are short. The next call tries again.
/// * If the thread of the reactor is dead, because other code used `async-io` when descriptors were short. Every later
///   call fails, too.
pub(super) fn start() -> io::Result<()> {
    static RUNNING: Mutex<bool> = Mutex::new(false);
    let mut running = RUNNING.lock();
    if *running {
        return Ok(());
    }
    // `async-io` would panic instead of returning an error. These descriptors need no file and no network.
    let room: Vec<_> = (0..DESCRIPTORS).map(|_| UnixDatagram::unbound()).collect::<io::Result<_>>()?;
    drop(room);
    if !is_driven() {
        return Err(io::Error::other(
            "the reactor thread is dead: async-io was used in this process when file descriptors were short; restart \
             the process",
        ));
    }
    *running = true;
    Ok(())
}

/// Whether a timer fires. This thread does not drive the reactor, so a timer that fires proves that another one does.
fn is_driven() -> bool {
    // `async-io` panics if it cannot create the reactor.
    catch_unwind(|| {
        let (fired, firing) = sync_channel(1);
        let waker = Waker::from(Arc::new(Notify(fired)));
        let mut delay = Duration::from_millis(1);
        let mut timer = Box::pin(Timer::after(delay));
        // A timer that is due at its first poll has not gone through the reactor, and proves nothing.
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
        // The channel is full if the timer has notified already.
        let _ = self.0.try_send(());
    }
}
