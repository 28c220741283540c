//! A daytime server (RFC 867) that keeps each of its ports registered in ZooKeeper. [`main`] is the program; [`run`] and
//! [`run_until`] are the server without command line and signals, for tests and embedding.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use daytime_config::{ServerFlags, ZookeeperFlags, load_server};
//! let config = load_server(&ZookeeperFlags::default(), &ServerFlags::default())?.config;
//! let ctrl_c = async { tokio::signal::ctrl_c().await.expect("the signal can be received") };
//! daytime_server::run(config, ctrl_c).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The program is thin; the crate `zk-roster` does the work. It shows the order that matters: bind, listen, accept, *then*
//! register; say in the records that the instances are draining, deregister, settle, drain, *then* close.
//!
//! - Every port answers over TCP and, if configured, over UDP. Senders of datagrams can be forged, so a datagram that
//!   could start a loop or hit a third party gets no answer; one pure function decides.
//! - A server that is told to stop writes into the record of each port that it is draining, and gives readers of records
//!   a third of `settle` (100 ms by default) before it deregisters: they stop picking it while it still answers. All of that
//!   takes half a second at most, and nothing where ZooKeeper is away.
//! - With an address for metrics, Prometheus can scrape the metrics of the server and its libraries.
//! - The server ends with an error where waiting cannot help: it cannot listen on a port or on the address for metrics, or
//!   has too few file descriptors (before it registers anything); ZooKeeper refuses the authentication before the first
//!   session; a listening socket dies. It waits for everything else.

mod answer;
mod authentication;
mod cli;
mod embedded;
mod error;
mod fd_check;
mod forced_shutdown;
mod metrics;
mod serve;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daytime_config::ServerConfig;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;
use tracing::{info, warn};
use zk_core::Zk;
use zk_roster::{Listening, RunningService, ServeError, Service};

pub use cli::main;
pub use error::Error;

use crate::forced_shutdown::{FORCED_SHUTDOWN, Forced};
use crate::serve::{Limits, Serving, UdpSocket};

/// How long the ensemble may take to end the session. With the leave, which takes a second and a half and the settling time at
/// most, and with draining, the stop stays below five seconds with the default configuration.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How many connections may wait to be accepted; the system may allow fewer. A caller beyond the limit gets no error but
/// may hang: the kernel drops its handshake without notice.
const BACKLOG: u32 = 4096;

/// Serves until `shutdown` resolves, or a listening socket dies; then deregisters the instances, settles, drains the open
/// connections, closes the session, and returns. After a `shutdown` the records say that the instances are draining before
/// they are deregistered.
///
/// # Errors
/// - If ZooKeeper refuses the authentication before the first session, if the server cannot listen on one of the ports or
///   on the address for metrics, or if file descriptors are short. Nothing is registered then.
/// - If one of the listening sockets dies. All instances are deregistered then.
///
/// # Cancel safety
/// Dropping the future stops serving at once. The session closes in the background, if the runtime lives long enough.
pub async fn run(config: ServerConfig, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    run_until(config, shutdown, std::future::pending()).await
}

/// As [`run`], with a shutdown that can be forced: once `force` resolves, after `shutdown`, it returns within half a
/// second. By then it has deregistered the instances and closed the session, if the ensemble replies in time; it has not
/// waited for callers.
///
/// # Errors
/// As [`run`].
///
/// # Cancel safety
/// As [`run`].
pub async fn run_until(
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
    force: impl Future<Output = ()>,
) -> Result<(), Error> {
    let forced = Forced::on(force);
    let mut shutdown = std::pin::pin!(shutdown);
    let settings = &config.server;

    // All ports or none: a missing port is a mistake that has to show at once.
    let mut listeners = Vec::with_capacity(settings.ports.len());
    for port in &settings.ports {
        let address = SocketAddr::new(settings.host, *port);
        listeners.push(listen(address).map_err(|source| Error::Listen { address, source })?);
    }
    let mut sockets = Vec::new();
    if settings.udp {
        for (_, local) in &listeners {
            let socket = UdpSocket::bind(*local);
            sockets.push(socket.map_err(|source| Error::ListenUdp { address: *local, source })?);
        }
    }
    let metrics_endpoint = match config.metrics {
        Some(address) => Some(daytime_metrics::Endpoint::start(address).await?),
        None => None,
    };
    // Before callers use descriptors up.
    fd_check::require()?;
    metrics::describe();
    let serving = Serving::new();
    let limits = Limits { connections: settings.max_connections, deadline: settings.connection_timeout };
    let bound: Vec<SocketAddr> = listeners.iter().map(|(_, local)| *local).collect();
    for (listener, local) in listeners {
        info!(address = %local, "listening");
        serving.accept_on(listener, local, limits);
    }
    let ports: Arc<[u16]> = bound.iter().map(SocketAddr::port).collect();
    for socket in sockets {
        info!(address = %socket.local(), "listening over UDP");
        serving.answer_on(socket, ports.clone());
    }

    let zookeeper = if config.embedded {
        tokio::select! {
            biased;
            () = &mut shutdown => {
                // Nothing is registered yet.
                drain(&serving, settings.grace, &forced).await;
                info!("stopped");
                return Ok(());
            }
            started = embedded::start_unless_served(&config.zookeeper) => started,
        }
    } else {
        None
    };
    let zk = match Zk::start(config.zookeeper.clone()) {
        Ok(zk) => zk,
        Err(error) => {
            embedded::stop(zookeeper).await;
            return Err(error.into());
        }
    };
    // A dead listener stops the server like a signal, but with an error.
    let end = std::pin::pin!(async {
        tokio::select! {
            biased;
            () = &mut shutdown => Ok(()),
            address = serving.dead_listener() => Err(Error::ListenerDied { address }),
            refused = authentication::refused_at_start(&zk) => Err(Error::Authentication(refused)),
        }
    });
    let service = match serve(&zk, &config, &bound) {
        Ok(service) => service,
        Err(error) => {
            forced.run(Duration::ZERO, close(&zk)).await;
            forced.run(Duration::ZERO, embedded::stop(zookeeper)).await;
            return Err(error.into());
        }
    };
    let outcome = end.await;

    // Nobody answers at the address of a dead listener: every moment in which it is listed costs calls.
    if outcome.is_ok() {
        forced.run(FORCED_SHUTDOWN, service.leave()).await;
    }
    // A forced shutdown reserves the second half of its time for closing the session, which also removes the instances.
    let left = forced.run(FORCED_SHUTDOWN / 2, service.leave_at_once()).await;
    if outcome.is_err() && left == Some(Ok(())) {
        info!(settle = ?settings.settle, "settling: serving on while callers learn of the deregistration");
        forced.run(FORCED_SHUTDOWN, tokio::time::sleep(settings.settle)).await;
    }
    drain(&serving, settings.grace, &forced).await;
    forced.run(Duration::ZERO, close(&zk)).await;
    forced.run(Duration::ZERO, embedded::stop(zookeeper)).await;
    if let Some(endpoint) = metrics_endpoint {
        forced.run(Duration::ZERO, endpoint.shutdown()).await;
    }
    info!("stopped");
    outcome
}

/// Listens with a backlog for a burst of callers; on an unspecified IPv6 address also for IPv4 callers.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Old connections in TIME_WAIT must not delay a restart.
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        // `::` is for both families, whatever the system's default is (`net.ipv6.bindv6only`): the advertised address may
        // be of either.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

/// A port of this server. No other process can listen on it: the listener is bound without SO_REUSEPORT.
struct Port(SocketAddr);

impl Listening for Port {
    fn address(&self) -> io::Result<SocketAddr> {
        Ok(self.0)
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}

/// Registers an instance for each port.
fn serve(zk: &Zk, config: &ServerConfig, bound: &[SocketAddr]) -> Result<RunningService, ServeError> {
    let settings = &config.server;
    Service::new(zk, config.registry.root().clone())
        .registrar(|_| config.registry.clone())
        .advertise(settings.advertise.clone())
        .settle(settings.settle)
        .serve_on_all(bound.iter().copied().map(Port))
}

/// Stops accepting, and lets the open connections finish.
async fn drain(serving: &Serving, grace: Duration, forced: &Forced<impl Future<Output = Instant>>) {
    info!(?grace, "draining: finishing open connections");
    match forced.run(FORCED_SHUTDOWN, serving.drain(grace)).await {
        Some(0) => {}
        Some(unfinished) => {
            warn!(connections = unfinished, ?grace, "closing connections that have not finished")
        }
        None => warn!("closing open connections at once: the shutdown is forced"),
    }
}

async fn close(zk: &Zk) {
    // `zk_core` logs a session that it could not close in time.
    let _ = zk.close(CLOSE_TIMEOUT).await;
}
