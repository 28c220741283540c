//! tower: any protocol, as a stack of layers, past one instance that leaves and one that is killed.
//!
//! Its last line is `30 of 30 answered`.

use std::future::ready;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::{Layer, Service as _, service_fn};
use zk_roster::tower::{BalancedLayer, Cloned};
use zk_roster::{Callee, Client, RunningService, Service, Zk};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of an ensemble.
    let zookeeper = zk_embedded::Server::start().await?;
    let zk = zk_roster::connect(&zookeeper.connect_string())?;
    let servers = [serve(&zk, "a").await?, serve(&zk, "b").await?, serve(&zk, "c").await?];
    let client = Client::follow(&zk, "/services/web").await?;
    // Makes a connection to an instance: itself a service. This one connects anew for each request.
    let connection = |callee: Callee| service_fn(move |()| ask(callee.clone()));
    let connect = service_fn(move |callee| ready(Ok::<_, io::Error>(connection(callee))));
    let mut web = BalancedLayer::new(&client).idempotent(true).layer(connect).repeating(Cloned);
    let mut answered = 0;
    for n in 0..30 {
        match n {
            // One leaves as it should, and another one is gone from one moment to the next.
            10 => servers[0].0.leave().await?,
            20 => servers[1].1.abort(),
            _ => {}
        }
        println!("{}", web.call(()).await?);
        answered += 1;
    }
    zk.close(Duration::from_secs(1)).await?;
    println!("{answered} of 30 answered");
    Ok(())
}

async fn ask(callee: Callee) -> io::Result<String> {
    let mut answer = String::new();
    zk_roster::dial(&callee).await?.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn serve(zk: &Zk, name: &'static str) -> io::Result<(RunningService, JoinHandle<io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let service = Service::new(zk, "/services/web").serve_on(&listener).map_err(io::Error::other)?;
    service.registered().await.map_err(io::Error::other)?;
    Ok((service, tokio::spawn(answer(listener, name))))
}

async fn answer(listener: TcpListener, name: &str) -> io::Result<()> {
    loop {
        listener.accept().await?.0.write_all(name.as_bytes()).await?;
    }
}
