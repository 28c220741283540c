//! gRPC: a generated client calls the instances of a service, past one that leaves and one that is killed.
//!
//! Its last line is `30 of 30 answered`.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::{Error, Server, server::TcpIncoming};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use zk_roster::tonic::BalancedChannel;
use zk_roster::{Client, RunningService, Service, Zk};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of an ensemble.
    let zookeeper = zk_embedded::Server::start().await?;
    let zk = zk_roster::connect(&zookeeper.connect_string())?;
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(serve(&zk).await?);
    }

    let client = Client::follow(&zk, "/services/health").await?;
    // A check may be repeated, whatever came of it.
    let mut health = HealthClient::new(BalancedChannel::new(&client).idempotent(true));
    let mut answered = 0;
    for n in 0..30 {
        match n {
            // One leaves as it should, and another one is gone from one moment to the next.
            10 => servers[0].0.leave().await?,
            20 => servers[1].1.abort(),
            _ => {}
        }
        let answer = health.check(HealthCheckRequest::default()).await?.into_inner();
        println!("{:?}", answer.status());
        answered += 1;
    }
    zk.close(Duration::from_secs(1)).await?;
    println!("{answered} of 30 answered");
    Ok(())
}

type Serving = JoinHandle<Result<(), Error>>;

async fn serve(zk: &Zk) -> Result<(RunningService, Serving), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let service = Service::new(zk, "/services/health").serve_on(&listener)?;
    service.registered().await?;
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder().add_service(health);
    // Runs until it is aborted, or the program ends.
    Ok((service, tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)))))
}
