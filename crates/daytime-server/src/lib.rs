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
//! [`main`] is the program; [`run`] is the same with the signals left out, for tests and embedding.

mod advertise;
mod cli;
mod embedded;
mod error;
mod figures;
mod refused;
mod reply;
mod serve;
mod signals;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daytime_config::ServerConfig;
use instance::{Endpoint, Instance};
use registry::{Registrar, Registration, Socket};
use tokio::net::TcpListener;
use tracing::{info, warn};
use zk_core::Zk;

pub use cli::main;
pub use error::Error;

use crate::serve::{Limits, Serving, UdpSocket};

/// How long the ensemble may take to confirm that the instances are gone. Together with settling,
/// draining and closing it stays below five seconds with the default configuration.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(1);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves until `shutdown` resolves; then takes the instances out, finishes what is under way, and
/// returns.
///
/// # Errors
/// If ZooKeeper refuses the authentication before it has granted a session.
/// If one of the ports, or the address of the metrics, cannot be listened on: then nothing is registered.
///
/// # Cancel safety
/// Dropping the future stops serving at once. The session is closed in the background, if the runtime
/// lives long enough.
pub async fn run(config: ServerConfig, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let mut shutdown = std::pin::pin!(shutdown);
    let settings = &config.server;

    // All of them or none: a server that lacks a port is a mistake to be noticed at once.
    let mut listeners = Vec::with_capacity(settings.ports.len());
    for port in &settings.ports {
        let address = SocketAddr::new(settings.host, *port);
        let listening = async {
            let listener = TcpListener::bind(address).await?;
            let local = listener.local_addr()?;
            Ok((listener, local))
        };
        listeners.push(listening.await.map_err(|source| Error::Listen { address, source })?);
    }
    let mut sockets = Vec::new();
    if settings.udp {
        for (_, local) in &listeners {
            let socket = UdpSocket::bind(*local).await;
            sockets.push(socket.map_err(|source| Error::ListenUdp { address: *local, source })?);
        }
    }
    let _metrics = match config.metrics {
        Some(address) => Some(daytime_metrics::Endpoint::start(address).await?),
        None => None,
    };
    figures::describe();
    let serving = Serving::default();
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

    let zookeeper =
        if config.embedded { embedded::start_where_nobody_answers(&config.zookeeper).await } else { None };
    let zk = Zk::start(config.zookeeper.clone());
    let registered = tokio::select! {
        biased;
        () = &mut shutdown => None,
        refused = refused::at_start(&zk) => Some(Err(Error::Authentication(refused))),
        registered = register(&zk, &config, &bound) => Some(registered),
    };
    let outcome = match registered {
        // Asked to stop before there was anything to register.
        None => Ok(Vec::new()),
        Some(Ok(registrations)) => {
            tokio::select! {
                biased;
                () = &mut shutdown => Ok(registrations),
                refused = refused::at_start(&zk) => Err(Error::Authentication(refused)),
            }
        }
        Some(Err(error)) => Err(error),
    };
    let registrations = match outcome {
        Ok(registrations) => registrations,
        Err(error) => {
            close(&zk).await;
            embedded::stop(zookeeper).await;
            return Err(error);
        }
    };

    let deregistering = registrations.iter().map(|registration| registration.deregister(DEREGISTER_TIMEOUT));
    let outcomes = futures_util::future::join_all(deregistering).await;
    let mut gone = true;
    for error in outcomes.into_iter().filter_map(Result::err) {
        warn!(%error, "not deregistered");
        gone = false;
    }
    if gone && !registrations.is_empty() {
        info!(instances = registrations.len(), settle = ?settings.settle, "deregistered; serving on while callers learn of it");
        tokio::time::sleep(settings.settle).await;
    }
    let unfinished = serving.drain(settings.grace).await;
    if unfinished > 0 {
        warn!(connections = unfinished, grace = ?settings.grace, "connections cut off");
    }
    close(&zk).await;
    embedded::stop(zookeeper).await;
    info!("done");
    Ok(())
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
        // The listener is ours alone: tokio binds without SO_REUSEPORT.
        registrations.push(registrar.register(Instance::new(endpoint), Socket::Held(*local))?);
    }
    Ok(registrations)
}

async fn close(zk: &Zk) {
    if let Err(lingering) = zk.close(CLOSE_TIMEOUT).await {
        warn!(%lingering, "session not closed");
    }
}
