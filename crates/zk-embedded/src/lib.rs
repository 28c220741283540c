//! A ZooKeeper server in one process and in memory, for laptops and tests. Any ZooKeeper client in any language can use it;
//! it starts in milliseconds, and injects faults on demand.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use zk_embedded::{Server, Shutdown};
//!
//! # #[tokio::main]
//! # async fn main() -> std::io::Result<()> {
//! let server = Server::start().await?;
//! println!("ZooKeeper clients connect to {}", server.connect_string());
//!
//! let mut socket = TcpStream::connect(server.addr())?;
//! socket.write_all(b"ruok")?;
//! let mut reply = String::new();
//! socket.read_to_string(&mut reply)?;
//! assert_eq!(reply, "imok");
//! # drop(socket);
//!
//! server.shutdown(Shutdown::CloseConnections).await;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Server`]: a server on a loopback address; a process can have many.
//! - [`faults`]: expire a session, drop a connection, lose a reply after the write, delay, stall, fail, stop the clock.
//! - [`machine`]: the server as a state machine without sockets and clocks, for simulations.
//! - [`proto`]: the crate `zk-wire`, the bytes of the protocol.
//!
//! The feature `program`, off by default, builds the program `zk-embedded`: the server on its own.
//!
//! # Promises
//!
//! - The server speaks ZooKeeper's protocol and replies as Apache ZooKeeper 3.8 does, with the same errors, stats, zxids and
//!   watches; or as an older release, which does not know newer requests: [`ServerBuilder::version`].
//! - Bytes from a client can end that client's connection, and nothing else: no panic, no memory without bound.
//! - A multiRead whose results are larger than 64 MiB fails: a small request can ask for any size.
//! - A client that does not read gets no more replies, and is disconnected when watch events pile up.
//! - The library has no thread of its own and writes no file; no task is left when [`Server::shutdown`] returns.
//!
//! # Limits
//!
//! - Data is in memory, and forgotten when the server stops.
//! - One server, not an ensemble; loopback addresses only.
//! - No TLS, SASL, quotas, reconfiguration or admin server. Latencies in four-letter words are zeros.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod faults;
mod four_letter;
pub mod machine;
pub use zk_wire as proto;
mod report;
mod server;
mod version;

pub use server::{Server, ServerBuilder, Shutdown};
pub use version::{UnknownVersion, Version};
