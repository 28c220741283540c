//! Follows the children of a znode, the *root*, over all connections of a link. It reports each change once, in order, and
//! each time in which something may have been missed. What is reported is counted and compared with the root's stat, so
//! the children are hardly ever listed again.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = zk_embedded::Server::start().await?;
//! # let hosts = server.connect_string();
//! use std::collections::BTreeSet;
//! use root_watch::{RootWatchConfig, Lists, RootWatch, Update};
//!
//! let zk = zk_core::Zk::start(zk_core::ZkConfig::new(&hosts)?)?;
//! let mut watch = RootWatch::new(&zk, RootWatchConfig::new("/go_servers".parse()?, Lists::Always));
//! watch.set_followed(true);
//! let mut names = BTreeSet::new();
//! loop {
//!     match watch.next().await {
//!         Update::Listed(listing) => names = listing.names.into_iter().collect(),
//!         Update::Created(name) => drop(names.insert(name)),
//!         Update::Deleted { name, .. } => drop(names.remove(&name)),
//!         // The names are right, and stay so as long as the connection does.
//!         Update::Live(_) => break,
//!         _ => {}
//!     }
//! }
//! assert!(names.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! The crates `registry` and `discovery` stand on it. Where something was missed, `registry` reads its own znodes again, and
//! `discovery` needs the list ([`Lists`]).
//!
//! # Promises
//! * **Every change is reported**, in order, from [`Update::Live`] until the connection is lost ([`Update::Down`]), or the
//!   watch ([`Update::Lost`]), or the root can be followed no more ([`Update::Trouble`]). Before the next `Live`, what
//!   changes in between is an update, or listed, or a gap ([`Live::whole`]). Events that came while a list was read follow
//!   it: they may be older or newer than the list.
//! * **A list is read** ([`Lists::Always`]) at first, in each new session, and when something was missed, or so much changes at that moment that
//!   the count cannot be compared: never because much has changed before.
//! * **Lost events do not matter for long.** Each audit proves that all was reported, or lists. A list that shows what no
//!   update has reported is for the user to notice, who may then [`distrust`](RootWatch::distrust) the watch.
//! * **Told deletions** are distinguished from all others ([`Update::Deleted`]): the znode was written and deleted by one
//!   transaction, as [`write_and_delete`](zk_core::Connection::write_and_delete) does. Only a recursive watch shows them.
//! * **Old servers**, and those that refuse recursive watches, are followed by watches that fire once, with the same
//!   results.
//! * **No task, no queue.** Everything happens inside [`RootWatch::next`], which may be dropped at any moment. While nobody
//!   calls it, events wait in the queue of the watch (16,384); one more ends the watch, visibly.
//! * **Replayable.** The decisions are a machine without clock, I/O and randomness of its own (seeded by
//!   [`Zk::sources`](zk_core::Zk::sources)). At the level `TRACE` all its inputs and effects are logged, without times,
//!   and with the target `arrow` each of its steps by name: the fields `machine` (`root_watch`, `recursive`, `one_shot`,
//!   `one_shot_audit`, `count`), `from`, `on` and `to`. `RUST_LOG=arrow=trace` shows only these.
//!
//! # The count
//! The `cversion` of a stat is the number of children created, plus the number deleted, since the znode was created.
//! (Measured on ZooKeeper 3.8 and 3.9, on leaders and followers, with transactions, containers, TTL and sequential znodes,
//! and expired sessions.) So its difference to the number of such events is a constant of the root's life, as long as none
//! is missed. That is learned, and checked, only by a stat during whose round trip no event came, as the queue of events
//! runs ahead of the replies; with ZooKeeper 3.9 and later the events name their transactions, and every round trip decides.
//!
//! # Traps of ZooKeeper, and what is done about them
//! * Persistent watches miss what changes while the client is disconnected (ZOOKEEPER-4698), and the client crate does not
//!   set them again (D1 in [`zk_core::transport::apache`]): each connection sets its own.
//! * A server may lag behind what this client has seen (D7): `sync` first. The watch is set before anything is read.
//! * A session has one kind of watch for a path (ZOOKEEPER-4466): the session may set no other kind on the root.
//! * A child that the reader may not read moves `cversion` without an event (servers with the mend of CVE-2024-23944). Then
//!   each audit after such a change lists, and the audits of those who may read all children do not.
//! * A stat needs no rights, and a server need not send events to a session that has lost them: the audits of
//!   [`Lists::Always`] read the root.
//! * Apache's counter of creations stays at 2^31 - 1: then it proves nothing, and every start and audit lists.
//! * An ensemble that comes back with older data may arrive at the same count by other changes, and uses zxids anew if it is
//!   a single server. The `pzxid` tells it apart where the transaction of the last change is known: from a stat, or from
//!   an event (3.9 and later). Elsewhere a gap of more than a second, which it takes to replace data, owes a list.
//! * The version of a znode does not tell it from its recreation, and no more does the count: the `czxid` does. When the
//!   root is reported to be deleted, the user gets an empty list, without a request.
//!
//! # Costs
//! In requests, with N children; a list is one more.
//!
//! |                     | recursive watch                    | watches that fire once |
//! | ------------------- | ---------------------------------- | ---------------------- |
//! | start, reconnect    | 3 (a list if something was missed) | 1, and a list          |
//! | a child comes, goes | 0 (one event)                      | a list                 |
//! | a record is written | 0 (one event)                      | 0 (one event)          |
//! | N records are read  | N / 256                            | N                      |
//! | an audit            | 1                                  | 1                      |
//!
//! Where events come during the round trip of a stat, another one follows after a moment: up to 3 at a start, 7 in an
//! audit; then the children are listed. After a list that met changes, single stats follow until the count is known: after
//! a second at first, and twice as long each time, up to the audit interval. Lists by watches that fire once are at least
//! 10 ms apart.

mod common;
mod config;
mod count;
mod driver;
mod follow;
mod io;
mod learn;
mod looks;
mod machine;
mod names;
mod one_shot;
mod recursive;
mod requests;
mod told;
mod update;
mod watches;

pub use config::{Lists, RootWatchConfig};
pub use driver::RootWatch;
pub use update::{ListReason, Listing, Live, Update, Watched};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
