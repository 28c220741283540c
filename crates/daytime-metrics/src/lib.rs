//! The Prometheus endpoint of `daytime-server` and `daytime-client`.
//!
//! # What it is for
//!
//! Programs and libraries of this project count through the facade `metrics`, which does nothing until a
//! program asks for the metrics. [`Endpoint::start`] does that: it installs a recorder and answers
//! `GET /metrics` with everything that was counted since, in the text format of Prometheus. Which metrics
//! there are is listed in `docs/metrics.md`.
//!
//! # What it promises
//!
//! - Either it listens when `start` returns, or it says why not.
//! - Nobody who calls it can hold it up or use it up: few connections at a time, each with a deadline and a
//!   limit to what is read of it.
//! - Histograms whose names end in `_seconds` have buckets from 0.5 ms to 10 s.
//!
//! # What it does not
//!
//! It has no TLS and no passwords. Give it a loopback address or one of a network that may know the metrics.
//! What was counted before `start` is not in them.
//!
//! # Example
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = daytime_metrics::Endpoint::start("127.0.0.1:9867".parse()?).await?;
//! metrics::counter!("teas_total").increment(1);
//! println!("curl http://{}/metrics", endpoint.local());
//! # Ok(())
//! # }
//! ```

mod endpoint;
mod http;
mod recorder;

pub use endpoint::Endpoint;

use std::io;
use std::net::SocketAddr;

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for metrics")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another recorder was installed in this process.
    #[error("this process records its metrics elsewhere already")]
    Installed,
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
