//! tonic: a channel for generated gRPC clients that calls a followed service. Feature `tonic`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use zk_roster::tonic::BalancedChannel;
//! # use zk_roster::Client;
//! # struct HealthClient<T>(T);
//! # impl<T: tonic::client::GrpcService<tonic::body::Body>> HealthClient<T> { fn new(channel: T) -> Self { Self(channel) } }
//!
//! let zk = zk_roster::connect("zk1:2181,zk2:2181/apps")?;
//! let client = Client::follow(&zk, "/services/health").await?;
//! let health = HealthClient::new(BalancedChannel::new(&client)); // the client that tonic generated
//! # Ok(())
//! # }
//! ```

mod answer;
mod attempt;
mod channel;
mod connector;
mod error;
mod recorded;
mod timeout;

pub use channel::BalancedChannel;
