//! A service on axum: it is registered while it serves, says whether it is ready, and leaves when it is told to stop.
//!
//! Its last line is `stopped: left`.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use nix::sys::signal::{Signal, raise};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zk_roster::Service;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of an ensemble.
    let zookeeper = zk_embedded::Server::start().await?;
    let zk = zk_roster::connect(&zookeeper.connect_string())?;

    // Listen first: whoever is registered is called.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = Service::new(&zk, "/services/web").weight(50).tag("zone", "a").serve_on(&listener)?;

    let (ready, alive) = (service.clone(), service.clone());
    let app = Router::new()
        .route("/", get(async || "hello"))
        .route("/ready", get(async move || ready.readiness()))
        .route("/alive", get(async move || alive.liveness()));
    let serving = axum::serve(listener, app).with_graceful_shutdown(service.leave_on_signal());
    let serving = tokio::spawn(async move { serving.await });

    service.registered().await?;
    println!("{}", service.status());
    for path in ["/", "/ready", "/alive"] {
        println!("{path}: {}", ask(address, path).await?);
    }

    // What `kill` or an orchestrator does.
    raise(Signal::SIGTERM)?;
    serving.await??;
    zk.close(Duration::from_secs(1)).await?;
    println!("stopped: {}", service.status().stage);
    Ok(())
}

/// The status line of an answer, and its text.
async fn ask(address: std::net::SocketAddr, path: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let (status, text) = (answer.lines().next(), answer.lines().last());
    Ok(format!("{}: {}", status.unwrap_or_default(), text.unwrap_or_default()))
}
