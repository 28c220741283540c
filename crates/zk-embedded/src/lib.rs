//! A ZooKeeper server in one process and in memory, for laptops and tests.
//!
//! # What it is for
//!
//! Programs that use ZooKeeper want one to run against: on a laptop with nothing installed, and in tests, where it should
//! start in no time and misbehave on demand. This is one, for any ZooKeeper client in any language.
//!
//! - [`Server`]: a server on a loopback address; start as many as you like.
//! - [`faults`]: expire a session, drop a connection, lose a reply after the write was done, delay, stall, fail, and stop
//!   the clock.
//! - [`machine`]: the server as a state machine without sockets and clocks, for simulations. [`proto`]: its words.
//! - The program `zk-embedded` is the server on its own.
//!
//! # What it promises
//!
//! - It speaks the real protocol and answers as Apache ZooKeeper 3.8 does, errors, stats, zxids and watches included; or
//!   as an older one, which does not know the newer requests: [`ServerBuilder::version`].
//! - What a client sends can end that client's connection, and nothing else: no panic, no memory without bound.
//! - Who does not read is not answered any more, and cut off when watch events pile up regardless.
//! - Nothing is left behind: no thread of its own, no file, and no task when [`Server::shutdown`] returns.
//!
//! # What it does not
//!
//! It keeps everything in memory and forgets it when it stops. It is one server, not an ensemble; real ensembles are Apache
//! ZooKeeper's job. It listens on loopback addresses only. There is no TLS, no SASL, no quota, no reconfiguration, no admin
//! server. Latencies in four-letter words are zeros.
//!
//! # Show me
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
//! let mut answer = String::new();
//! socket.read_to_string(&mut answer)?;
//! assert_eq!(answer, "imok");
//! # drop(socket);
//!
//! server.shutdown(Shutdown::CloseConnections).await;
//! # Ok(())
//! # }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod faults;
mod four_letter;
pub mod machine;
pub use zk_wire as proto;
mod server;
mod version;

pub use server::{Server, ServerBuilder, Shutdown};
pub use version::{UnknownVersion, Version};
