//! The signals that ask to stop, and what the second of them means.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind};
use tokio::time::Instant;
use tracing::info;

/// Signals within this time of the first are the same stop: a wrapper that forwards what its whole process group was
/// sent, `timeout` of GNU, a second Ctrl-C of an impatient hand.
pub const SAME_STOP: Duration = Duration::from_secs(1);

/// All by which systems ask a program to stop, and which would end it at once. What a person or a supervisor sends; the
/// end of a terminal; an alarm, which a program inherits from who started it; the soft limit of processor time, ahead of
/// the hard one; the failing power, by which containers are stopped, too.
const STOP: &[Signal] = &[
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGALRM,
    Signal::SIGXCPU,
    #[cfg(target_os = "linux")]
    Signal::SIGPWR,
];

/// Hears the signals that ask to stop.
///
/// From [`install`](Self::install) on none of them ends the process any more, for as long as it lives.
pub struct Signals {
    stop: Vec<Heard>,
    unused: Vec<Heard>,
}

struct Heard {
    signal: Signal,
    stream: unix::Signal,
}

impl Signals {
    /// Takes over from the system what asks to stop, and what the program has no use for (`unused`): that is logged, and
    /// does nothing. What was ignored when the process started stays ignored, as `nohup` wants it for SIGHUP, and a
    /// shell for SIGINT and SIGQUIT of the jobs that a script starts in the background.
    ///
    /// A write beyond the limit for the size of files (`ulimit -f`) fails from now on; it does not end the process.
    ///
    /// # Errors
    /// If the system refuses.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn install(unused: &[Signal]) -> io::Result<Self> {
        let ignored = Ignored::now();
        let (ignored_stop, stop): (Vec<_>, _) = STOP.iter().partition(|signal| ignored.has(**signal));
        if !ignored_stop.is_empty() {
            info!(signals = ?ignored_stop, "ignored, as it was when this process was started");
        }
        let unused = unused.iter().copied().filter(|signal| !ignored.has(*signal)).collect();
        if !ignored.has(Signal::SIGXFSZ) {
            // Nobody needs to hear of it. Logged, it could be the next write that is too long.
            listen(Signal::SIGXFSZ)?;
        }
        let all = |signals: Vec<Signal>| signals.into_iter().map(listen).collect::<io::Result<_>>();
        Ok(Self { stop: all(stop)?, unused: all(unused)? })
    }

    /// The next signal that asks to stop.
    ///
    /// # Cancel safety
    /// No signal is lost if the future is dropped.
    pub async fn stop(&mut self) -> Signal {
        poll_fn(|context| {
            for Heard { signal, stream } in &mut self.unused {
                while stream.poll_recv(context).is_ready() {
                    info!(%signal, "this signal has no meaning here");
                }
            }
            for Heard { signal, stream } in &mut self.stop {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The next signal that asks to stop and is not of the same stop as one that came at `first`: see [`SAME_STOP`].
    ///
    /// # Cancel safety
    /// As [`stop`](Self::stop).
    pub async fn stop_again(&mut self, first: Instant) -> Signal {
        loop {
            let signal = self.stop().await;
            if first.elapsed() > SAME_STOP {
                return signal;
            }
            info!(%signal, "the same stop");
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |heard: &[Heard]| heard.iter().map(|heard| heard.signal.as_str()).collect::<Vec<_>>();
        let (stop, unused) = (names(&self.stop), names(&self.unused));
        f.debug_struct("Signals").field("stop", &stop).field("unused", &unused).finish()
    }
}

fn listen(signal: Signal) -> io::Result<Heard> {
    Ok(Heard { signal, stream: unix::signal(SignalKind::from_raw(signal as i32))? })
}

/// The signals that this process ignores, as a mask: the lowest bit is signal 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ignored(u64);

impl Ignored {
    /// As Linux tells in `/proc`: the call that tells it everywhere takes unsafe code. Without, none is.
    fn now() -> Self {
        std::fs::read_to_string("/proc/self/status").map(|status| Self::read(&status)).unwrap_or_default()
    }

    fn read(status: &str) -> Self {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        Self(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default())
    }

    fn has(self, signal: Signal) -> bool {
        self.0 & (1 << (signal as i32 - 1)) != 0
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn linux_tells_what_is_ignored() {
        // As a shell starts `nohup program &` in a script.
        let ignored = Ignored::read("Name:\tsh\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000007\n");
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
            assert!(ignored.has(signal), "{signal}");
        }
        for signal in [Signal::SIGTERM, Signal::SIGALRM, Signal::SIGUSR1] {
            assert!(!ignored.has(signal), "{signal}");
        }
        for invalid in ["", "SigIgn:\tnone\n", "SigCgt:\t0000000000000007\n"] {
            assert_eq!(Ignored::read(invalid), Ignored::default());
        }
        // Rust ignores it from the start: what is read is true.
        assert!(Ignored::now().has(Signal::SIGPIPE));
    }

    /// One test, as its signals are the whole process's.
    #[tokio::test]
    async fn every_way_to_ask_is_heard_and_what_has_no_meaning_asks_nothing() {
        let ignored = Ignored::now();
        let mut signals = Signals::install(&[Signal::SIGUSR1, Signal::SIGUSR2]).unwrap();
        for signal in STOP.iter().copied().filter(|signal| !ignored.has(*signal)) {
            for meaningless in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGXFSZ] {
                raise(meaningless).unwrap();
            }
            raise(signal).unwrap();
            assert_eq!(timeout(SOON, signals.stop()).await, Ok(signal));
        }
        let none = timeout(Duration::from_millis(50), signals.stop()).await;
        assert!(none.is_err(), "{none:?} was not sent");

        let first = Instant::now();
        raise(Signal::SIGTERM).unwrap();
        let same = timeout(Duration::from_millis(50), signals.stop_again(first)).await;
        assert!(same.is_err(), "{same:?} is of the same stop");
        raise(Signal::SIGTERM).unwrap();
        let long_ago = first - 2 * SAME_STOP;
        assert_eq!(timeout(SOON, signals.stop_again(long_ago)).await, Ok(Signal::SIGTERM));
    }
}
