//! Calls a gRPC service: `cargo run -p zk-roster --example tonic --features tonic`.
//!
//! It starts a ZooKeeper and three servers in its own process, registers them, and stops one of them between the calls.

use std::time::Duration;

use instance::Instance;
use registry::{Registrar, RegistrarConfig, Socket};
use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use zk_roster::Client;
use zk_roster::tonic::BalancedChannel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let zookeeper = zk_embedded::Server::start().await?;
    let zk = zk_roster::connect(&zookeeper.connect_string())?;
    let registrar = Registrar::new(zk.clone(), RegistrarConfig::new("/services/health".parse()?));
    let mut servers = Vec::new();
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let instance = Instance::new(listener.local_addr()?.to_string().parse()?);
        let (_, health) = tonic_health::server::health_reporter();
        let server = Server::builder().add_service(health);
        let serving = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        let registration = registrar.register(instance, Socket::Unvouched)?;
        registration.registered().await?;
        servers.push((registration, serving));
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
