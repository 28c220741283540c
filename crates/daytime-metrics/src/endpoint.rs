//! The listener, and the upkeep of the recorder.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use crate::{StartError, http, recorder};

/// Scrapes at one time. One or two collectors scrape every few seconds.
const CONNECTIONS: usize = 8;
/// Callers that may wait to be accepted.
const BACKLOG: u32 = 128;
/// How long one scrape may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The wait after a failure to accept.
const PAUSE: Duration = Duration::from_secs(1);
/// Histograms keep every sample until a scrape or an upkeep: this interval bounds their memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// A listening Prometheus endpoint. `Drop` closes it; the recorder goes on counting.
#[derive(Debug)]
pub struct Endpoint {
    local: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Endpoint {
    /// Listens on the address, installs the recorder if this process has none yet, and serves.
    ///
    /// # Errors
    /// If the address cannot be listened on, or if the process has another recorder.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O enabled.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no listener behind.
    pub async fn start(address: SocketAddr) -> Result<Self, StartError> {
        let refused = |source| StartError::Listen { address, source };
        let listener = listen(address).map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        let handle = recorder::install()?;
        info!(url = %format_args!("http://{local}{}", http::PATH), "metrics endpoint listening");
        let serving = tokio::spawn(async move {
            tokio::join!(accept(&listener, &handle), upkeep(&handle));
        });
        Ok(Self { local, _serving: AbortOnDropHandle::new(serving) })
    }

    /// The address that the endpoint listens on.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }
}

/// Listens; on an unspecified IPv6 address for IPv4, too, whatever the system's default is (`net.ipv6.bindv6only`).
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Old connections in TIME_WAIT must not delay a restart.
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        SockRef::from(&socket).set_only_v6(false)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn upkeep(handle: &PrometheusHandle) {
    let mut pace = interval(UPKEEP);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        handle.run_upkeep();
    }
}

async fn accept(listener: &TcpListener, handle: &PrometheusHandle) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, retry_in = ?PAUSE, "metrics endpoint cannot accept a connection");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            debug!(%peer, limit = CONNECTIONS, "scrape closed unanswered: too many at a time");
            continue;
        };
        let handle = handle.clone();
        // The task ends within the deadline.
        tokio::spawn(async move {
            match timeout(DEADLINE, http::answer(stream, || handle.render())).await {
                Ok(Ok(status)) => debug!(%peer, status, "scrape answered"),
                Ok(Err(error)) => debug!(%peer, %error, "scrape failed"),
                Err(_) => debug!(%peer, deadline = ?DEADLINE, "scrape timed out"),
            }
            drop(place);
        });
    }
}
