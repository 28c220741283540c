//! A service in a simulated ensemble, and a client that follows it, in real time.

use std::net::SocketAddr;
use std::time::Duration;

use tonic::{Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use zk_roster::tonic::BalancedChannel;
use zk_roster::{CallConfig, Client, Strategy};
use zk_simulated::{Operator, SimulatedEnsemble};
use zk_testing::eventually;

const ROOT: &str = "/services/health";

pub(crate) struct World {
    _ensemble: SimulatedEnsemble,
    operator: Operator,
    pub(crate) client: Client,
}

impl World {
    /// These instances; an attempt has 10 s.
    pub(crate) async fn new(addresses: &[SocketAddr]) -> Self {
        Self::with_times(addresses, Duration::from_secs(10), Duration::from_secs(30)).await
    }

    pub(crate) async fn with_times(addresses: &[SocketAddr], attempt: Duration, overall: Duration) -> Self {
        let ensemble = SimulatedEnsemble::new(7);
        let operator = ensemble.operator();
        for address in addresses {
            operator.create_ephemeral(path(*address), record(1)).unwrap();
        }
        let calls = CallConfig::new(attempt, overall).unwrap();
        let calls = calls.with_connect(attempt).unwrap();
        let builder = Client::builder(&ensemble.zk(), ROOT).unwrap();
        let client = builder.strategy(Strategy::RoundRobin).calls(calls).follow().await.unwrap();
        let world = Self { _ensemble: ensemble, operator, client };
        world.listed(addresses.len()).await;
        world
    }

    async fn listed(&self, count: usize) {
        eventually("all are listed", async || self.client.balancer().status().len() == count).await;
    }

    pub(crate) async fn remove(&self, address: SocketAddr) {
        let count = self.client.balancer().status().len();
        self.operator.write_and_delete(path(address), "").unwrap();
        self.listed(count - 1).await;
    }

    pub(crate) async fn set_incarnation(&self, address: SocketAddr, incarnation: u8) {
        self.operator.set_data(path(address), record(incarnation)).unwrap();
        let endpoint: zk_roster::Endpoint = address.to_string().parse().unwrap();
        eventually("the record is known", async || {
            let view = self.client.discovery().view();
            let instance = view.snapshot.as_ref().and_then(|snapshot| snapshot.get(&endpoint)).cloned();
            let owner = instance.as_ref().and_then(|instance| instance.owner());
            owner.is_some_and(|owner| owner.incarnation().as_u128() == u128::from(incarnation))
        })
        .await;
    }

    pub(crate) fn channel(&self) -> BalancedChannel {
        BalancedChannel::new(&self.client)
    }
}

fn path(address: SocketAddr) -> String {
    format!("{ROOT}/{address}")
}

fn record(incarnation: u8) -> String {
    format!(r#"{{"Weight":100,"Tags":{{"owner.incarnation":"{incarnation:032x}"}}}}"#)
}

pub(crate) async fn check(channel: BalancedChannel) -> Result<Response<HealthCheckResponse>, Status> {
    HealthClient::new(channel).check(HealthCheckRequest::default()).await
}

/// An address where nobody listens.
pub(crate) fn closed() -> (SocketAddr, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    // Bound and not listening: nobody else gets the port.
    (socket.local_addr().unwrap().as_socket().unwrap(), socket)
}
