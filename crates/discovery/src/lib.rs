//! A view of a service registered in ZooKeeper that is always readable and follows every change.
//!
//! [`Discovery`] watches the children of one root znode and publishes immutable, numbered [`Snapshot`]s of its
//! instances. Reading never waits and never fails: without ZooKeeper the last set stays, and the [`View`] says
//! since when it is stale.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = zk_embedded::Server::start().await?;
//! # let hosts = server.connect_string();
//! use discovery::{Change, DiscoveryConfig, Discovery};
//!
//! let zk = zk_core::Zk::start(zk_core::ZkConfig::new(&hosts)?)?;
//! let discovery = Discovery::start(&zk, DiscoveryConfig::new("/go_servers".parse()?));
//! let mut changes = discovery.changes();
//! match changes.next().await.expect("discovery has not ended") {
//!     Change::Reset(snapshot) => println!("{} instances", snapshot.len()),
//!     Change::Added(instance) => println!("+ {}", instance.endpoint()),
//!     Change::Updated { new, .. } => println!("= {}", new.endpoint()),
//!     Change::Removed(instance) => println!("- {}", instance.endpoint()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//! * **Read only.** Discovery needs the right to read the root (with records, the children too). It waits for a root
//!   that is missing or deleted. Where following fails on a working link ([`View::trouble`]) the last set stays, and
//!   discovery retries at least once a second.
//! * **One event per change**, and no read: from one persistent recursive watch. A reconnect sets the watch, waits
//!   until the server has caught up (`sync`), and lists only if something was missed or the session is new. Servers
//!   before ZooKeeper 3.6 give the same results at other costs.
//! * **One endpoint, one instance**, however many znodes it has and however they are named: it stays as long as one of
//!   them does, with the record of the youngest. Names that are no endpoint are skipped ([`View::skipped`]). Where names
//!   tell no endpoint ([`Format::decode_name`](instance::Format::decode_name)), the records do: they are read always.
//! * **Unknown is not empty**: [`Members`] has three cases, and a [`View`] says for how long it has been stale.
//! * **Views are true.** Each shows what was there at one moment, in order, apart from instances that settle, are
//!   held, or wait for records. Events queued behind a list are in its view; before 3.6 each view is one list. A
//!   slow reader sees the latest; [`Changes`] then has a [`Change::Reset`]. No reader delays another.
//! * **A take-over is no gap**, as a removal settles for 25 ms ([`DiscoveryConfig::with_settle`]); it is one if the deletion and
//!   the creation arrive further apart.
//! * **A deliberate leave is believed at once**: a deletion whose transaction writes the znode first, as the crate
//!   `registry` does it, neither settles nor counts as part of a mass disappearance (since ZooKeeper 3.6).
//! * **A mass disappearance is held**; other removals take effect once settled. Without a link only the operator
//!   removes instances. The last instance stays until one that is listed has its record, for 250 ms at most.
//! * **Lost events do not matter for long.** A jittered audit compares the count of changes that ZooKeeper keeps with
//!   the events that came; it lists where they differ, and replaces a watch that has reported nothing since the audit
//!   before. It also notices lost rights: a server need not send events to clients without them.
//! * **The end shows.** However following ends ([`Discovery::shutdown`], a closed link, the end of the runtime, a panic
//!   of a [`Format`](instance::Format)), the last view is stale, with the reason ([`View::trouble`]), and all who wait
//!   for another are woken.
//!
//! # Mass disappearances
//! Discovery holds instances when more than half of those that were there a second ago, and at least three, are not
//! there any more ([`MassDisappearance`] sets share, number and time), or when the first list of a new session lacks more
//! than half, however few: such removals are ZooKeeper's fault more often than the servers'. Held instances stay in the
//! set, and [`View::held_endpoints`] names them: callers do well to try the others first. Those that go meanwhile are held,
//! too. Instances that have come within that second neither count nor are held, and leaves that were told do not count. Nor do
//! instances whose records were read and say that they are draining: they go once settled, whatever goes with them.
//!
//! All removals that have not settled count at once, so pieces that arrive within the settling time of the first are
//! held as a whole. When pieces arrive later, at most half of the set goes before the rest is held. The hold of an
//! instance ends when ZooKeeper lists it again, when it refuses a connection ([`Discovery::report_refused`]), when the
//! operator releases it ([`Discovery::release_held`]), when its leave is told after all, or after the hold ([`DiscoveryConfig::with_hold`]; by
//! default the session timeout and 2 s; three times that in all, counted with a link). Removals more than a second apart
//! are ordinary.
//!
//! # Costs
//! In requests, for each follower of a root with N instances:
//!
//! |                     | since 3.6, names       | with records | before 3.6, names | with records |
//! | ------------------- | ---------------------- | ------------ | ----------------- | ------------ |
//! | start               | 3, and a list          | + N / 256    | 1, and a list     | + N          |
//! | an instance comes   | 0                      | 1            | a list            | a list + 1   |
//! | an instance goes    | 0                      | 0            | a list            | a list       |
//! | a record is written | 0 (one event)          | 1            | 0                 | 1            |
//! | a reconnect         | 3 (a list if missed)   | + N / 256    | 1, and a list     | + N          |
//! | an audit            | 1 (a list if missed)   | + N / 256    | 1                 | + N          |
//!
//! A list is due if anything was missed, if the session is new, or if so much changes at that moment that the count
//! cannot be compared in a few attempts. After a list that met changes, single looks follow until the count is known;
//! the crate `root-watch` has the numbers.
//! Readers that may not read all children miss the events of those on some servers: then they list, and replace the watch.
//!
//! Changes within a few milliseconds share a request. Before 3.6 lists are at least 10 ms apart, so a thousand changes
//! a second cost at most a hundred lists of N names; with records there is also a watch per instance.
//!
//! A snapshot copies N pointers and shares unchanged instances. From writer to reader a change took, for N = 10,
//! 10,000 and 40,000 on one busy machine: 0.5, 0.9, 2 ms with names; 7, 8, 11 ms with records, which wait 5 ms for
//! others; 0.5, 8, 24 ms with names before 3.6 (`cargo bench -p discovery`). A recorder of the crate `metrics` that is
//! installed before discovery starts gets the metrics that `docs/metrics.md` lists.
//!
//! # Limits
//! * No health checks: a killed process stays listed until its session expires. Retry elsewhere, as the crate
//!   `balance` does.
//! * No pages, which ZooKeeper does not have: a list is one reply of N names, each 4 bytes and the name, within the
//!   deadline of a request. It may exceed 1 MiB: servers limit requests (`jute.maxbuffer`), not replies.
//! * No bound on the size of a reply: a znode may have 1 MiB, and a record's size is a guess until it was read,
//!   at first 4 KiB. Of data above 64 KiB only the length is looked at.
//!
//! # Log
//! `RUST_LOG=arrow=trace` shows each step of a follower, and of each instance of its set, by name: events of the level `TRACE`
//! and the target `arrow` with the fields `machine` (`watcher`, `instance`), `from`, `on` and `to`.
//!
//! # Features
//! With the cargo feature `serde`, off by default, [`DiscoveryConfig`] is read and written, and [`View`] and [`Snapshot`] are
//! written.

mod change;
mod config;
mod handle;
mod membership;
mod metrics;
mod publisher;
mod record_cache;
mod snapshot;
mod view;
mod watcher;

pub use change::{Change, Changes, diff};
pub use config::{DiscoveryConfig, DiscoveryConfigError, MassDisappearance, Records};
pub use handle::{Discovery, NotReady};
pub use snapshot::{Instances, Snapshot};
pub use view::{Freshness, Members, View};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
