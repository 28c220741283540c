//! A watched, always-answering view of a service registered in ZooKeeper.
//!
//! [`Discovery`] follows the children of one root znode and publishes immutable, numbered
//! [`Snapshot`]s of the instances found there. Reading never waits and never fails: with ZooKeeper gone
//! the last set keeps serving, and says since when it is stale.
//!
//! # What it promises
//! * It never writes, needs read rights only, and waits for a root that does not exist yet.
//! * In steady state a change costs one event and no read: one persistent recursive watch per root tells
//!   the names that come and go. After a reconnect it sets the watch again, waits until the server has
//!   caught up (`sync`), and looks at the root once; it lists only if the root has moved.
//! * *Not synced*, *confirmed empty* and *a set* are different answers ([`Members`]).
//! * A take-over of a name (deleted and created in one transaction) is no gap: a removal waits a few
//!   milliseconds for a creation of the same name.
//! * A mass disappearance (more than half of the set and at least three, within a second; or
//!   more than half in the first list of a new session; and what else goes meanwhile) is held back
//!   for a bounded time before it is believed; what is held and refuses a connection goes at once
//!   ([`Discovery::report_refused`]); an operator can end the hold ([`Discovery::release_held`]).
//!   Fewer removals take effect immediately. While there is no link nothing is ever removed.
//! * A slow, jittered audit compares the view with the truth, so no lost event can hurt for long.
//!
//! # What it does not
//! * Read the records: instances have the default weight and no tags. All that is used is the name.
//! * Servers before ZooKeeper 3.6, which know no recursive watch.
//! * Check whether an instance is healthy. A killed process stays listed until its session expires:
//!   retry elsewhere (the crate `balance` does).
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use discovery::{Change, Config, Discovery};
//! use zk_core::{ZnodePath, Zk};
//!
//! let zk = Zk::start(zk_core::Config::new("127.0.0.1:2181")?);
//! let discovery = Discovery::start(zk, Config::new(ZnodePath::parse("/go_servers")?));
//!
//! let snapshot = discovery.ready(1, Duration::from_secs(60)).await?;
//! println!("{} instances to begin with", snapshot.len());
//!
//! let mut changes = discovery.changes();
//! while let Some(change) = changes.next().await {
//!     match change {
//!         Change::Reset(snapshot) => println!("all of it: {}", snapshot.len()),
//!         Change::Added(instance) => println!("+ {}", instance.endpoint()),
//!         Change::Updated { new, .. } => println!("= {}", new.endpoint()),
//!         Change::Removed(instance) => println!("- {}", instance.endpoint()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod change;
mod config;
mod handle;
mod ledger;
mod membership;
mod metrics;
mod publisher;
mod reads;
mod snapshot;
mod source;
mod view;
mod watcher;

pub use change::{Change, Changes, diff};
pub use config::{Config, ConfigError, Records};
pub use handle::{Discovery, NotReady};
pub use snapshot::Snapshot;
pub use view::{Freshness, Members, View};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
