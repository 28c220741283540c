//! Services that register in ZooKeeper, and clients that call them: the one crate that a service depends on.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let zk = zk_roster::connect("zk1:2181,zk2:2181/apps")?;
//!
//! // A service: listen, be registered, and leave before the listener closes.
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
//! let service = zk_roster::Service::new(&zk, "/services/web").weight(50).serve_on(&listener)?;
//! service.leave().await?;
//!
//! // A client: follow a service, and call one of its instances.
//! let web = zk_roster::Client::follow(&zk, "/services/web").await?;
//! let stream = web.call(async |callee| zk_roster::dial(&callee).await).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Service`] is the life of a service: the address that callers reach ([`Advertise`]), its health ([`HealthCheck`]), and how it
//! leaves. [`Client`] follows a service and calls it: by strategy, with retries within a budget, and by a saved list while
//! ZooKeeper is away at the start. The modules behind the features `tower`, `tonic` and `reqwest` are the same client for those
//! stacks. The parts are exported from here, too: link, registrar, view, balancer.
//!
//! `RUST_LOG=arrow=trace` shows each step of a service, and of the parts, by name: events of the level `TRACE` and the target
//! `arrow` with the fields `machine` (here `service`, `mode`, `presence` and `address`), `from`, `on` and `to`.

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
