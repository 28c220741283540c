//! The Prometheus endpoint of `daytime-server` and `daytime-client`. [`Endpoint::start`] installs a recorder for the
//! facade `metrics` and answers `GET /metrics` with everything that the process has counted since.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = daytime_metrics::Endpoint::start("127.0.0.1:9867".parse()?).await?;
//! metrics::counter!("teas_total").increment(1);
//! println!("curl http://{}/metrics", endpoint.local());
//! # Ok(())
//! # }
//! ```
//!
//! `docs/metrics.md` lists the metrics. Without an endpoint, counting through the facade does nothing.
//!
//! # Promises
//!
//! - When `start` returns `Ok`, the endpoint listens; otherwise the error says why it does not.
//! - No caller can block or exhaust the endpoint: at most 8 connections at a time, each with 5 s and 8 KiB of request.
//! - Histograms whose names end in `_seconds` have buckets from 0.5 ms to 10 s.
//!
//! # Limits
//!
//! - No TLS and no passwords: listen on a loopback address, or in a network that may see the metrics.
//! - What the process counted before `start` is lost.

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
    /// The process has another recorder.
    #[error("this process has another metrics recorder already")]
    Installed,
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
