//! Faults on demand: a test injects them into a server while clients use it.
//!
//! [`Server::faults`](crate::Server::faults) gives a [`Faults`], which may be cloned and used from any task. Every fault
//! is in place, or has happened, when the call returns, and counts how often it struck: [`Fault::fired`].
//!
//! ```
//! use std::time::Duration;
//! use zk_embedded::Server;
//! use zk_embedded::faults::{AfterLoss, Matching, Op, Scope};
//! use zk_testing::raw::{Client, CreateMode};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start().await?;
//! let client = Client::connect(server.addr(), Duration::from_secs(10)).await?;
//!
//! let lost = server.faults().lose_reply(Matching::op(Op::Create), AfterLoss::Cut).await?;
//! let outcome = client.create("/done", b"", CreateMode::Persistent).await;
//! assert!(outcome.is_err(), "the client cannot know that it was done");
//! assert_eq!(lost.fired(), 1);
//!
//! let client = Client::connect(server.addr(), Duration::from_secs(10)).await?;
//! assert!(client.exists("/done").await?.is_some());
//!
//! let expired = server.faults().expire(Scope::Session(client.session_id())).await?;
//! assert!(expired.wait_fired(Duration::from_secs(1)).await);
//! client.closed().await;
//! # Ok(())
//! # }
//! ```

mod handle;
mod matching;
mod operation;
mod registry;

pub use handle::{Fault, Faults, Stopped};
pub use matching::{AfterLoss, Matching, Scope};
pub use zk_wire::OpCode as Op;

pub(crate) use operation::{op_code, short_name};
pub(crate) use registry::{ClockChange, FaultCommand, Kind, Registry, Strike};
