//! A ZooKeeper ensemble in virtual time, in one process, by seed: the state machine of `zk-embedded` behind the seam of
//! `zk-core`. Requests, replies and events take their time on tokio's paused clock; there are no sockets and no threads.
//! The same seed and the same calls give the same run, which [`SimulatedEnsemble::log`] shows.
//!
//! ```
//! use zk_simulated::{Fault, Match, SimulatedEnsemble, Verb};
//! use zk_core::{Acl, ZnodePath};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ensemble = SimulatedEnsemble::new(7);
//! let zk = ensemble.zk();
//! let connection = zk.connected().await?;
//!
//! // The reply to the next create is lost, after the server has carried it out.
//! let path = ZnodePath::parse("/a")?;
//! let lost = ensemble.fault(Match::verb(Verb::Create).path(&path), Fault::LoseReply);
//! assert!(connection.create_ephemeral(&path, b"1", Acl::Open).await.is_err());
//! assert!(lost.fired());
//!
//! // Somebody else writes; what an operator does is done at once.
//! let operator = ensemble.operator();
//! operator.set_data(&path, "2")?;
//! assert_eq!(connection.data(&path).await?.0, b"2");
//! assert_eq!(ensemble.requests(Verb::Create).len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! - [`builder`]: version, tick, session timeout, round trips, zxids in events, several servers.
//! - [`SimulatedEnsemble::zk`]: a link of a new client; [`SimulatedEnsemble::client`] is what is below it.
//! - [`SimulatedEnsemble::fault`]: scripted faults, each for requests that a [`Match`] chooses;
//!   [`SimulatedEnsemble::random_faults`]: others drawn from the seed.
//! - [`SimulatedEnsemble::operator`]: changes by others, and reads, without a link.
//! - [`SimulatedEnsemble::stop`], [`start`](SimulatedEnsemble::start), [`server_down`](SimulatedEnsemble::server_down),
//!   [`kill`](SimulatedEnsemble::kill), [`stall`](SimulatedEnsemble::stall): what happens to whole servers and processes.
//! - [`SimulatedEnsemble::observe`]: every transaction, as it really is;
//!   [`requests`](SimulatedEnsemble::requests), [`log`](SimulatedEnsemble::log): what has happened.
//!
//! # How time passes
//!
//! A request is carried out after the first half of its round trip, and its reply arrives after the second; each is drawn
//! for itself, in whole milliseconds. Requests of one connection stay in order, and so do their replies, and events. An
//! event is never later than the reply to a request that was carried out after it, and may be earlier than the reply to
//! one that was carried out before it: [`Builder::reply_lag`] makes that frequent. The events of one transaction arrive
//! together.
//!
//! A client that is connected keeps its session; otherwise the session ends at the first whole tick after its timeout.
//!
//! # Servers
//!
//! Of [several](Builder::servers) servers one leads. It carries out all writes, opens sessions and lets them expire; the
//! others follow, and apply each transaction later by their [lag](Builder::follower_lag), in its order and with its zxid.
//! A client is connected to one server, at random, and prefers those that have not failed it lately. That server answers
//! what it reads and tells its watches, so both are behind the leader by as much. A write is replied to when the client's
//! own server has applied it, behind its events, and so is the first connection of a session; what the client reads behind
//! a write waits for it. `sync` is replied to when the server has everything that the leader had when the request arrived.
//!
//! When a follower goes down its clients lose their connections. When the leader does, all clients do, and no server
//! serves anybody until another one was elected, 200 to 1,000 ms later, with a new epoch in its zxids; likewise while no
//! majority is up. No transaction is ever lost by that. Sessions do not expire meanwhile, and then have their whole
//! timeout before them.
//!
//! A client that attaches to its session at a server that is behind sees what it saw go back, until it calls `sync`: the
//! link of zk-core does not tell a server how far it has seen. [`Builder::present_zxids`] is for clients that do.
//! Neither does it notice that the ensemble has come back with [older data](Restart::Before); if these do not know its
//! session, that has expired.
//!
//! # Replays
//!
//! For replays a test runs on one thread with a paused clock (`start_paused = true`), iterates over no hash table, draws
//! from [`SimulatedEnsemble::sources`], and has no two tasks wait on one `watch` of tokio, which wakes them in an order that
//! no seed decides ([`latest`](zk_core::transport::latest) does not).

mod agenda;
mod ask;
mod builder;
mod call;
mod chaos;
mod client;
mod commit;
mod dial;
mod ensemble;
mod injection;
mod journal;
mod latest_log;
mod link;
mod operator;
mod operator_session;
mod record;
mod recording;
mod rule;
mod seeds;
mod server;
mod settings;
mod shared;
mod transport;
mod verb;
mod watches;
mod when;
mod wire;
mod world;

pub use builder::{Builder, builder};
pub use chaos::Chaos;
pub use client::Client;
pub use commit::{Author, Commit, Restart, TreeChange};
pub use ensemble::SimulatedEnsemble;
pub use injection::Injection;
pub use operator::Operator;
pub use record::{Outcome, Request};
pub use recording::{assert_same_lines, recorded};
pub use rule::{Fault, Match};
pub use seeds::for_each_seed;
pub use verb::Verb;
pub use zk_embedded::Version;
pub use zk_wire::Acl;
