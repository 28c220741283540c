//! The signals that ask a program to stop, and what a second one means.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind};
use tokio::time::Instant;
use tracing::info;

/// Signals within this time of the first belong to the same stop: a wrapper may forward a signal that its whole process
/// group received already, as GNU `timeout` does, and a person may press Ctrl-C twice.
pub const SAME_STOP: Duration = Duration::from_secs(1);

/// The signals by which systems ask a program to stop; by default each would end it at once. A person or a supervisor
/// sends SIGTERM, SIGINT or SIGQUIT; SIGHUP is the end of the terminal; SIGALRM is an alarm that a program inherits from
/// its parent; SIGXCPU is the soft limit of processor time, ahead of the hard one; SIGPWR is a power failure, and stops
/// some containers.
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

/// Receives the signals that ask the program to stop: SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU and, on Linux, SIGPWR.
///
/// From [`install`](Self::install) on, none of them ends the process by itself, for as long as the process lives: `Drop`
/// does not restore the defaults.
pub struct Signals {
    stop: Vec<Received>,
    unused: Vec<Received>,
}

struct Received {
    signal: Signal,
    stream: unix::Signal,
}

impl Signals {
    /// Takes over the signals that ask to stop, and the signals in `unused`, which are logged and do nothing else. A signal
    /// that was ignored when the process started stays ignored: `nohup` does so with SIGHUP, and a shell with SIGINT and
    /// SIGQUIT for the jobs that a script starts in the background.
    ///
    /// From now on a write beyond the file size limit (`ulimit -f`) fails and does not end the process.
    ///
    /// # Errors
    /// If the system refuses a signal handler.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn install(unused: &[Signal]) -> io::Result<Self> {
        let ignored = Ignored::now();
        let (ignored_stop, stop): (Vec<_>, _) = STOP.iter().partition(|signal| ignored.has(**signal));
        if !ignored_stop.is_empty() {
            info!(signals = ?ignored_stop, "signals stay ignored: they were ignored when this process started");
        }
        let unused = unused.iter().copied().filter(|signal| !ignored.has(*signal)).collect();
        if !ignored.has(Signal::SIGXFSZ) {
            // Not logged: the log line could be the next write that is too long.
            listen(Signal::SIGXFSZ)?;
        }
        let all = |signals: Vec<Signal>| signals.into_iter().map(listen).collect::<io::Result<_>>();
        Ok(Self { stop: all(stop)?, unused: all(unused)? })
    }

    /// Waits for the next signal that asks to stop.
    ///
    /// # Cancel safety
    /// No signal is lost if the future is dropped.
    pub async fn stop(&mut self) -> Signal {
        poll_fn(|context| {
            for Received { signal, stream } in &mut self.unused {
                while stream.poll_recv(context).is_ready() {
                    info!(%signal, "signal ignored: this program does not use it");
                }
            }
            for Received { signal, stream } in &mut self.stop {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for the next signal that asks to stop, other than those of the same stop as the signal received at `first`:
    /// see [`SAME_STOP`].
    ///
    /// # Cancel safety
    /// As [`stop`](Self::stop).
    pub async fn stop_again(&mut self, first: Instant) -> Signal {
        loop {
            let signal = self.stop().await;
            if first.elapsed() > SAME_STOP {
                return signal;
            }
            info!(%signal, "signal ignored: already stopping");
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |received: &[Received]| received.iter().map(|one| one.signal.as_str()).collect::<Vec<_>>();
        let (stop, unused) = (names(&self.stop), names(&self.unused));
        f.debug_struct("Signals").field("stop", &stop).field("unused", &unused).finish()
    }
}

fn listen(signal: Signal) -> io::Result<Received> {
    Ok(Received { signal, stream: unix::signal(SignalKind::from_raw(signal as i32))? })
}

/// The signals that this process ignores, as a mask: the lowest bit is signal 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ignored(u64);

impl Ignored {
    /// Reads Linux's `/proc`, as the portable call needs unsafe code. Without `/proc`, no signal counts as ignored.
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
    fn the_ignored_signals_are_read_from_proc() {
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
        // Rust ignores SIGPIPE from the start: the real file shows it.
        assert!(Ignored::now().has(Signal::SIGPIPE));
    }

    /// One test, as signals reach the whole process.
    #[tokio::test]
    async fn every_stop_signal_is_received_and_an_unused_signal_stops_nothing() {
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
        assert!(same.is_err(), "{same:?} belongs to the same stop");
        raise(Signal::SIGTERM).unwrap();
        let long_ago = first - 2 * SAME_STOP;
        assert_eq!(timeout(SOON, signals.stop_again(long_ago)).await, Ok(Signal::SIGTERM));
    }
}
