//! Calls a service through tower: `cargo run -p zk-roster --example tower --features tower`.
//!
//! It starts a ZooKeeper and three servers in its own process, registers them, and stops one of them between the calls.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Service as _, ServiceBuilder, service_fn};
use zk_roster::tower::{BalancedLayer, Cloned};
use zk_roster::{Callee, Client, Service};

/// Answers every connection with a line.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (mut socket, _) = listener.accept().await?;
        socket.write_all(format!("hello from {}", listener.local_addr()?).as_bytes()).await?;
    }
}

async fn ask(callee: Callee) -> io::Result<String> {
    let mut answer = String::new();
    TcpStream::connect(callee.endpoint().to_string()).await?.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let zookeeper = zk_embedded::Server::start().await?;
    let zk = zk_roster::connect(&zookeeper.connect_string())?;
    let mut servers = Vec::new();
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let service = Service::new(&zk, "/services/web").serve_on(&listener)?;
        service.registered().await?;
        servers.push((service, tokio::spawn(serve(listener))));
    }

    let client = Client::follow(&zk, "/services/web").await?;
    // A connection is a service: here, one that connects anew for each request.
    let connect = service_fn(async |callee: Callee| {
        Ok::<_, io::Error>(service_fn(move |_question: &'static str| ask(callee.clone())))
    });
    let layer = BalancedLayer::new(&client).idempotent(true);
    let mut web = ServiceBuilder::new().layer(layer).service(connect).repeating(Cloned);
    for number in 0..6 {
        if number == 3 {
            println!("one of the servers is killed");
            servers[0].1.abort();
        }
        println!("{}", web.call("hello?").await?);
    }
    zk.close(Duration::from_secs(5)).await?;
    Ok(())
}
