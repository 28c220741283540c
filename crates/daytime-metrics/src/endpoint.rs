//! The listener, its scrapes, and the upkeep of the recorder: one task, and one more for each scrape.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, error, info, warn};

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

/// A listening Prometheus endpoint. [`shutdown`](Self::shutdown) closes it and waits for its tasks; `Drop` closes it
/// without waiting. The recorder goes on counting.
#[derive(Debug)]
pub struct Endpoint {
    local: SocketAddr,
    serving: JoinHandle<()>,
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
        let upkeep = handle.clone();
        Ok(Self::serving(listener, local, move || handle.render(), move || upkeep.run_upkeep()))
    }

    fn serving(
        listener: TcpListener,
        local: SocketAddr,
        render: impl Fn() -> String + Clone + Send + 'static,
        upkeep: impl Fn() + Send + 'static,
    ) -> Self {
        let end = ShownEnd { local };
        // Ends with `shutdown` or `Drop`, and takes the scrapes along.
        let serving = tokio::spawn(async move {
            let _end = end;
            serve(&listener, render, upkeep).await;
        });
        Self { local, serving }
    }

    /// The address that the endpoint listens on.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether the endpoint serves. A panic inside ends it for good, with a line in the log.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        !self.serving.is_finished()
    }

    /// Closes the endpoint, and waits until the port is free and no scrape is under way: those are cut off.
    ///
    /// # Cancel safety
    /// Dropping the future closes the endpoint without waiting.
    pub async fn shutdown(mut self) {
        self.serving.abort();
        // It has been cut off, or had panicked before, which was logged then.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Logs the end of the task that serves, where nobody has asked for it.
struct ShownEnd {
    local: SocketAddr,
}

impl Drop for ShownEnd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!(local = %self.local, "metrics endpoint has panicked and serves no more");
        }
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

/// Accepts, serves up to [`CONNECTIONS`] scrapes at a time, and keeps the recorder tidy.
async fn serve(
    listener: &TcpListener,
    render: impl Fn() -> String + Clone + Send + 'static,
    upkeep: impl Fn(),
) {
    let mut pace = interval(UPKEEP);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut scrapes = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = scrapes.join_next() => show_panic(ended),
            _ = pace.tick() => upkeep(),
            accepted = listener.accept() => match accepted {
                Ok((_, peer)) if scrapes.len() >= CONNECTIONS => {
                    debug!(%peer, limit = CONNECTIONS, "scrape closed unanswered: too many at a time");
                }
                // Ends within the deadline.
                Ok((stream, peer)) => drop(scrapes.spawn(scrape(stream, peer, render.clone()))),
                Err(error) => {
                    warn!(%error, retry_in = ?PAUSE, "metrics endpoint cannot accept a connection");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

async fn scrape(stream: TcpStream, peer: SocketAddr, render: impl FnOnce() -> String) {
    match timeout(DEADLINE, http::answer(stream, render)).await {
        Ok(Ok(status)) => debug!(%peer, status, "scrape answered"),
        Ok(Err(error)) => debug!(%peer, %error, "scrape failed"),
        Err(_) => debug!(%peer, deadline = ?DEADLINE, "scrape timed out"),
    }
}

fn show_panic(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        error!(%panic, "scrape has panicked; its caller got no answer");
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn endpoint(
        render: impl Fn() -> String + Clone + Send + 'static,
        upkeep: impl Fn() + Send + 'static,
    ) -> Endpoint {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let local = listener.local_addr().unwrap();
        Endpoint::serving(listener, local, render, upkeep)
    }

    async fn ask(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answer = String::new();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").await.unwrap();
        // A scrape that panics closes the connection, or resets it.
        let _ = timeout(SOON, stream.read_to_string(&mut answer)).await.expect("an end in time");
        answer
    }

    #[tokio::test]
    async fn a_scrape_that_panics_costs_no_place_and_no_other_scrape() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};

        let rendered = Arc::new(AtomicUsize::new(0));
        let count = rendered.clone();
        let render = move || {
            assert!(count.fetch_add(1, Ordering::Relaxed) >= 2 * CONNECTIONS, "a defect in a recorder");
            "metrics\n".to_owned()
        };
        let endpoint = endpoint(render, || {});
        for _ in 0..2 * CONNECTIONS {
            assert_eq!(ask(endpoint.local()).await, "");
        }
        assert!(ask(endpoint.local()).await.ends_with("metrics\n"));
        assert!(endpoint.is_serving());
    }

    #[tokio::test]
    async fn an_endpoint_that_panics_shows_that_it_serves_no_more() {
        let endpoint = endpoint(String::new, || panic!("a defect in a recorder"));
        let ended = async {
            while endpoint.is_serving() {
                tokio::task::yield_now().await
            }
        };
        timeout(SOON, ended).await.expect("an end in time");
        let refused = TcpStream::connect(endpoint.local()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        endpoint.shutdown().await;
    }

    #[tokio::test]
    async fn a_shutdown_cuts_scrapes_off_and_frees_the_port() {
        let endpoint = endpoint(String::new, || {});
        let local = endpoint.local();
        // A caller that sends nothing would have the whole deadline.
        let mut silent = TcpStream::connect(local).await.unwrap();
        assert_eq!(ask(local).await.lines().next(), Some("HTTP/1.1 200 OK"), "both are accepted");
        timeout(DEADLINE / 2, endpoint.shutdown()).await.expect("it does not wait for callers");
        assert_eq!(TcpStream::connect(local).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let end = timeout(DEADLINE / 2, silent.read(&mut [0])).await.expect("the silent caller is cut off");
        assert!(!end.is_ok_and(|length| length > 0));
    }
}
