//! Answers with the time on every configured port, registered in ZooKeeper.
//!
//! A thin program over the crates `registry` and `zk-core`; it shows them at work in the order that
//! matters: bind, listen, accept, *then* register; deregister, settle, drain, *then* close.
//!
//! Every port answers over TCP and, where asked to, over UDP (RFC 867 knows both). Over UDP anybody can forge a
//! caller's address, so what may be the work of a loop or of a reflection gets no answer; who may be answered
//! is one pure function. Where an address for metrics is given, Prometheus finds there what the server and the
//! libraries below it count.
//!
//! What cannot mend itself ends the program with an error: a port or the address for metrics that cannot be
//! listened on, before anything is registered, and an authentication that ZooKeeper refuses before it has
//! granted a session. Everything else is waited out.
//!
//! [`main`] is the program; [`run`] and [`run_until`] are the same with the signals left out, for tests and
//! embedding.

mod advertise;
mod answer;
mod cli;
mod descriptors;
mod embedded;
mod error;
mod forced;
mod lookup;
mod metrics;
mod refused;

mod serve;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daytime_config::ServerConfig;
use instance::{Endpoint, Instance};
use registry::{Registrar, Registration, Socket};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;
use tracing::{info, warn};
use zk_core::Zk;

pub use cli::main;
pub use error::Error;

use crate::forced::{FORCED_SHUTDOWN, Forced};
use crate::serve::{Limits, Serving, UdpSocket};

/// How long the ensemble may take to confirm that the instances are gone. Together with settling,
/// draining and closing it stays below five seconds with the default configuration.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(1);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How many callers may wait to be accepted; the system may allow fewer. A caller beyond it is not turned away
/// but may hang: the kernel has forgotten it, and nobody tells it.
const BACKLOG: u32 = 4096;

/// Serves until `shutdown` resolves, or a listening socket dies; then takes the instances out, finishes what
/// is under way, and returns.
///
/// # Errors
/// If ZooKeeper refuses the authentication before it has granted a session.
/// If one of the ports, or the address of the metrics, cannot be listened on, or file descriptors are too short to
/// serve with: then nothing is registered. If one of the listening sockets dies: then all are taken out.
///
/// # Cancel safety
/// Dropping the future stops serving at once. The session is closed in the background, if the runtime
/// lives long enough.
pub async fn run(config: ServerConfig, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    run_until(config, shutdown, std::future::pending()).await
}

/// The same, with an end that can be cut short: once `force` resolves, after `shutdown`, it returns within half a
/// second. By then it has taken out the instances and closed the session, if the ensemble answers; it has not
/// waited for anybody else.
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

    // All of them or none: a server that lacks a port is a mistake to be noticed at once.
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
    let _metrics = match config.metrics {
        Some(address) => Some(daytime_metrics::Endpoint::start(address).await?),
        None => None,
    };
    // Before callers take what there is.
    descriptors::require()?;
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
                // Before there was anything to register.
                drain(&serving, settings.grace, &forced).await;
                return Ok(());
            }
            started = embedded::start_where_nobody_answers(&config.zookeeper) => started,
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
    // A server that lacks a port now is taken out as one that was asked to stop, and says that it failed.
    let mut end = std::pin::pin!(async {
        tokio::select! {
            biased;
            () = &mut shutdown => Ok(()),
            address = serving.dead_listener() => Err(Error::Dead { address }),
            refused = refused::at_start(&zk) => Err(Error::Authentication(refused)),
        }
    });
    let registered = tokio::select! {
        biased;
        // Before there was anything to register.
        outcome = &mut end => Ok((Vec::new(), outcome)),
        registered = register(&zk, &config, &bound) => match registered {
            Ok(registrations) => Ok((registrations, end.await)),
            Err(error) => Err(error),
        },
    };
    let (registrations, outcome) = match registered {
        Ok(registered) => registered,
        Err(error) => {
            forced.run(Duration::ZERO, close(&zk)).await;
            forced.run(Duration::ZERO, embedded::stop(zookeeper)).await;
            return Err(error);
        }
    };

    let deregistering = registrations.iter().map(|registration| registration.deregister(DEREGISTER_TIMEOUT));
    // Forced, what is not confirmed by half of the time goes with the session, in the other half.
    let outcomes = forced.run(FORCED_SHUTDOWN / 2, futures_util::future::join_all(deregistering)).await;
    let mut gone = outcomes.is_some();
    for error in outcomes.into_iter().flatten().filter_map(Result::err) {
        warn!(%error, "not deregistered");
        gone = false;
    }
    if gone && !registrations.is_empty() {
        info!(instances = registrations.len(), settle = ?settings.settle, "deregistered; serving on while callers learn of it");
        forced.run(FORCED_SHUTDOWN, tokio::time::sleep(settings.settle)).await;
    }
    drain(&serving, settings.grace, &forced).await;
    forced.run(Duration::ZERO, close(&zk)).await;
    forced.run(Duration::ZERO, embedded::stop(zookeeper)).await;
    info!("done");
    outcome
}

/// Listens, with room for a burst of callers; on an unspecified IPv6 address for IPv4 callers, too.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of an earlier run that linger are no reason to wait.
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        // On `::` for both families, whatever the system's default is (`net.ipv6.bindv6only`): the address that is
        // advertised may be of either.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

/// Declares every port's instance.
async fn register(zk: &Zk, config: &ServerConfig, bound: &[SocketAddr]) -> Result<Vec<Registration>, Error> {
    let settings = &config.server;
    let host =
        advertise::advertised(settings.advertise.clone(), settings.host, config.zookeeper.hosts()).await;
    let registrar = Registrar::new(zk.clone(), config.registry.clone());
    let mut registrations = Vec::with_capacity(bound.len());
    for local in bound {
        let endpoint = Endpoint::new(host.clone(), local.port())?;
        // The listener is ours alone: it is bound without SO_REUSEPORT.
        registrations.push(registrar.register(Instance::new(endpoint), Socket::Bound(*local))?);
    }
    Ok(registrations)
}

/// Takes nobody in any more, and lets who is in finish.
async fn drain(serving: &Serving, grace: Duration, forced: &Forced<impl Future<Output = Instant>>) {
    match forced.run(FORCED_SHUTDOWN, serving.drain(grace)).await {
        Some(0) => {}
        Some(unfinished) => warn!(connections = unfinished, ?grace, "connections cut off"),
        None => warn!("connections cut off: no time to let them finish"),
    }
}

async fn close(zk: &Zk) {
    if let Err(lingering) = zk.close(CLOSE_TIMEOUT).await {
        warn!(%lingering, "session not closed");
    }
}
