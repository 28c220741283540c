//! tower: a [`Service`](tower::Service) and a [`Layer`](tower::Layer) that call a followed service, and
//! [`discover`] for balancers of your own. Feature `tower`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Service, service_fn};
//! use zk_roster::tower::{Balanced, Cloned};
//! # use std::{convert::Infallible, io};
//! # type Connection = tower::util::BoxCloneService<String, String, io::Error>;
//! # async fn connect(address: String) -> io::Result<Connection> { std::future::pending().await }
//!
//! let zk = zk_roster::connect("zk1:2181,zk2:2181/apps")?;
//! let client = zk_roster::Client::follow(&zk, "/services/web").await?;
//! // Makes a connection: itself a service, that takes a request and returns an answer.
//! let make = service_fn(|callee: zk_roster::Callee| connect(callee.endpoint().to_string()));
//! let mut web = Balanced::new(&client, make).repeating(Cloned);
//! let answer = web.call("hello".to_owned()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Which instance is called, what is ejected and what is repeated is decided as in every call of the
//! [`Client`](crate::Client). This module adds the connections: one for each instance that was called, which concurrent
//! calls share.

mod attempt;
mod balanced;
mod causes;
mod classified;
mod connect_error;
mod connections;
mod discover;
mod error;
mod layer;
mod repeat;
mod slots;

pub use balanced::Balanced;
pub use classified::Classified;
pub use connect_error::ConnectError;
pub use discover::discover;
pub use error::AttemptError;
pub use layer::BalancedLayer;
pub use repeat::{Cloned, Once, Repeat};

#[cfg(feature = "tonic")]
pub(crate) use {
    attempt::{MARGIN, ready},
    connections::Connections,
};
