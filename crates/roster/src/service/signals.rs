//! A service that leaves when the program is asked to stop.

use std::future::pending;

use tokio::time::Instant;
use tracing::{error, info, warn};
use zk_program::Signals;

use super::running::RunningService;

impl RunningService {
    /// Waits for a signal by which systems ask a program to stop, and then [leaves](Self::leave): SIGTERM, SIGINT, SIGHUP,
    /// SIGQUIT, SIGALRM, SIGXCPU or SIGPWR, unless it was ignored when the program started. A second signal, a second or more
    /// after the first, makes it [leave at once](Self::leave_at_once).
    ///
    /// ```no_run
    /// # #[cfg(feature = "axum")]
    /// # async fn example(listener: tokio::net::TcpListener, app: axum::Router, service: zk_roster::RunningService) -> std::io::Result<()> {
    /// axum::serve(listener, app).with_graceful_shutdown(service.leave_on_signal()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The signals are taken over by this call: one that comes before the future is polled is not lost. One that comes before the
    /// call ends the process, and what is registered by then stays listed until the session expires: call this right after
    /// `serve_on`, and of several services for all, as a later future does not see an earlier signal. From then on no such
    /// signal ends the process by itself: what comes after the leave has to end, so give a bound to what is in flight. Where the
    /// system hands them over to nobody, an error is logged, and the future does not end.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    /// A leave that has begun goes on if the future is dropped, unless it was the last handle.
    #[cfg(feature = "signals")]
    pub fn leave_on_signal(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let (service, signals) = (self.clone(), Signals::install(&[]));
        async move {
            let mut signals = match signals {
                Ok(signals) => signals,
                Err(error) => {
                    error!(%error, "stop signals cannot be received: they end the process without a leave");
                    return pending().await;
                }
            };
            let signal = signals.stop().await;
            info!(%signal, "leaving");
            let first = Instant::now();
            tokio::select! {
                biased;
                // An error is logged where it arises.
                _ = service.leave() => return,
                signal = signals.stop_again(first) => warn!(%signal, "second signal: leaving at once"),
            }
            let _ = service.leave_at_once().await;
        }
    }
}
