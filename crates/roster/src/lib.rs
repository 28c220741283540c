//! Services that register in ZooKeeper, and clients that call them: the one crate that a service depends on.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let zk = zk_roster::connect("zk1:2181,zk2:2181/apps")?;
//! let web = zk_roster::Client::follow(&zk, "/services/web").await?;
//! let answer = web.call(async |callee| {
//!     tokio::net::TcpStream::connect(callee.endpoint().to_string()).await
//! });
//! let stream = answer.await?;
//! # Ok(())
//! # }
//! ```

mod advertise;
#[cfg(feature = "axum")]
mod axum;
mod client;
mod connect;
mod dial;
mod health;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod resolver;
mod saved;
mod service;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "tower")]
pub mod tower;

pub use advertise::{Advertise, AdvertiseError, AdvertiseSyntaxError, Network, NetworkError};
pub use client::{Callee, Client, ClientBuilder, ClientStatus, FollowError, Member, MemberSet, MemberSource};
pub use connect::{ConnectStringError, connect};
pub use dial::{DialError, dial, dial_endpoint};
pub use health::{CheckAnswer, HealthCheck, ServiceHealth, WhenSick};
pub use resolver::Resolver;
pub use service::{
    InstanceStatus, LeaveError, Listening, Liveness, Readiness, RunningService, ServeError, Service,
    ServiceLeft, ServiceNotRegistered, ServiceRecord, ServiceStage, ServiceStatus, ServiceUpdateError,
};

// The parts, under one name.
pub use balance::{
    Balancer, BalancerConfig, Budget, CallConfig, CallError, Caller, Classify, Ejection, Failure, GaveUp,
    Strategy,
};
pub use discovery::{Discovery, DiscoveryConfig, Freshness, Members, Records, Snapshot, View};
pub use instance::{Endpoint, Host, Instance};
pub use registry::{RegistrarConfig, Registration, RegistrationStatus};
pub use zk_core::{Zk, ZkConfig, ZnodePath};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
