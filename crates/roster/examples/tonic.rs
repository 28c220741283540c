//! Calls a gRPC service: `cargo run -p zk-roster --example tonic --features tonic`.
//!
//! It starts a ZooKeeper and three servers in its own process, registers them, and stops one of them between the calls.

use std::time::Duration;

use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use zk_roster::{Client, Service};
use zk_roster::tonic::BalancedChannel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let zookeeper = zk_embedded::Server::start().await?;
    let zk = zk_roster::connect(&zookeeper.connect_string())?;
    let mut servers = Vec::new();
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let service = Service::new(&zk, "/services/health").serve_on(&listener)?;
        let (_, health) = tonic_health::server::health_reporter();
        let server = Server::builder().add_service(health);
        let serving = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        service.registered().await?;
        servers.push((service, serving));
    }

    let client = Client::follow(&zk, "/services/health").await?;
    // A check of health may be repeated whatever came of it.
    let channel = BalancedChannel::new(&client).idempotent(true);
    let mut health = HealthClient::new(channel);
    for number in 0..6 {
        if number == 3 {
            println!("one of the servers is killed");
            servers[0].1.abort();
        }
        let answer = health.check(HealthCheckRequest::default()).await?.into_inner();
        println!("{:?}", answer.status());
    }
    zk.close(Duration::from_secs(5)).await?;
    Ok(())
}
