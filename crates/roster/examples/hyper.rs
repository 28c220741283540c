//! A service on hyper with a loop of its own, which leaves when it is told to stop and finishes what is in flight; and calls by the
//! client of hyper-util, whose errors say what may be retried.
//!
//! Its last line is `stopped: left`.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::{rt::TokioExecutor, rt::TokioIo, server::graceful::GracefulShutdown};
use nix::sys::signal::{Signal, raise};
use tokio::net::TcpListener;
use zk_roster::{Callee, Client, RunningService, Service};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of an ensemble.
    let zookeeper = zk_embedded::Server::start().await?;
    let zk = zk_roster::connect(&zookeeper.connect_string())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let service = Service::new(&zk, "/services/web").serve_on(&listener)?;
    let serving = tokio::spawn(serve(listener, service.clone()));
    service.registered().await?;

    let web = Client::follow(&zk, "/services/web").await?;
    let http = HyperClient::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    for _ in 0..5 {
        let get = |callee: Callee| http.get(callee.url("http", "/hello").parse().expect("a URL"));
        let response = web.call(get).await?;
        println!("{}: {:?}", response.status(), response.into_body().collect().await?.to_bytes());
    }
    // What `kill` or an orchestrator does.
    raise(Signal::SIGTERM)?;
    serving.await??;
    zk.close(Duration::from_secs(1)).await?;
    println!("stopped: {}", service.status().stage);
    Ok(())
}

async fn serve(listener: TcpListener, service: RunningService) -> std::io::Result<()> {
    let (mut leaving, connections) = (Box::pin(service.leave_on_signal()), GracefulShutdown::new());
    loop {
        let socket = tokio::select! {
            biased;
            // Serves on while callers learn that it leaves.
            () = &mut leaving => break,
            accepted = listener.accept() => TokioIo::new(accepted?.0),
        };
        let hello = || Ok::<_, Infallible>(Response::new("hello".to_owned()));
        let answer = service_fn(move |_: Request<Incoming>| std::future::ready(hello()));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(socket, answer);
        tokio::spawn(connections.watch(connection));
    }
    drop(listener);
    // What is in flight ends, or is cut off.
    let _ = tokio::time::timeout(Duration::from_secs(10), connections.shutdown()).await;
    Ok(())
}
