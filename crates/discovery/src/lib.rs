//! A watched, always-answering view of a service registered in ZooKeeper.
//!
//! [`Discovery`] follows the children of one root znode and publishes immutable, numbered
//! [`Snapshot`]s of the instances found there. Reading never waits and never fails: with ZooKeeper gone
//! the last set keeps serving, and says since when it is stale.
//!
//! # What it promises
//! * It never writes, needs the right to read the root only (and the children, with records), and waits for a
//!   root that does not exist yet, or was deleted. A root that may not be listed, or where something else fails
//!   on a link that works, is told in [`View::trouble`]; the last set stays, and it is tried again at least once
//!   a second. Rights that are lost later are noticed when there is a change, at the next audit: a server need
//!   not tell of changes to those who may not look.
//! * In steady state a change costs one event and no read: one persistent recursive watch per root tells
//!   the names that come and go. After a reconnect it sets the watch again, waits until the server has
//!   caught up (`sync`), and looks at the root once; it lists only if the root has moved, or the session is
//!   new.
//! * Servers before ZooKeeper 3.6 have no such watch; the results are the same, and the costs are not:
//!   see below.
//! * Weight, tags and owner are read on request ([`Config::with_records`]), and read again when they
//!   change. Who does not ask for them never causes a read.
//! * One endpoint is one instance, under however many names it stands, as other programs may spell it in their own
//!   way: it stays for as long as one of the znodes does, and its record is that of the youngest. A name that is no
//!   endpoint is skipped and counted ([`View::skipped`]), and named in the log once; so is one that a caller could
//!   not call without reaching itself, `0.0.0.0` or `::`.
//! * *Not synced*, *confirmed empty* and *a set* are different answers ([`Members`]). A [`View`] says whether it
//!   is being followed, and if not since when ([`View::age`]).
//! * Events that are queued when a list arrives are one batch with it: there is no view of the list alone. Every
//!   view shows what was there at one moment, in the order in which it was (but for what settles, is held, or
//!   waits for its record), and who looks seldom sees the latest. Before 3.6 each view shows one list.
//! * A take-over of a name (deleted and created in one transaction) is no gap: a removal waits 25 ms for a
//!   creation of the same name ([`Config::with_settle`]). Where the two events are further apart than that on
//!   their way, it is one.
//! * A mass disappearance is held back for a bounded time before it is believed: see below. Fewer removals take
//!   effect as soon as they have settled. While there is no link nothing is ever removed, but by the operator.
//! * A slow, jittered audit compares the view with the truth, so no lost event can hurt for long. A watch
//!   that missed something is replaced.
//! * Snapshots are numbered, and each number is another set. The differences between them come one by one
//!   ([`Discovery::changes`]); a reader that falls behind by more than one gets the whole instead, and holds up
//!   nobody.
//!
//! # Mass disappearances
//! More than half of the set and at least three, within a second; or more than half, however few, in the first
//! list of a new session: that is rather ZooKeeper's fault than the servers'. These are held: shown on, and
//! counted in [`View::held`]. What else goes while they are is held, too.
//!
//! What goes together need not arrive together. All that has not settled counts, so pieces that arrive within
//! the settling time of the first are held as a whole. What arrives later counts with the first as well, but
//! those are gone by then: so at most half of the set goes before the rest is held. Removals more than a second
//! apart are ordinary.
//!
//! A hold ends
//! * for one that is listed again: nobody has seen it go;
//! * for one that refuses a connection, at once ([`Discovery::report_refused`]), while there is a link;
//! * for all, by the operator's word ([`Discovery::release_held`]);
//! * after the time that [`Config::with_hold`] gives; by default the session timeout and 2 s. Without a link
//!   it does not pass, and with the next link it begins anew, as servers can come back only from then on. However often
//!   the link comes and goes, nothing is held for more than three times as long, counted in time with a link.
//!
//! # Records
//! With [`Records::Read`] an instance is shown with its record; if that takes more than 250 ms, or fails,
//! with the defaults first and as [`Change::Updated`] later: being there comes before being exact. What
//! becomes of a record never removes an instance. The first snapshot is whole: every instance in it has
//! its record, or has waited for it for 250 ms.
//!
//! Records whose names came or whose data changed within some 5 ms are read together: at most 256 a
//! request and, going by what records have measured so far, about 1 MiB an answer, with at most four
//! requests on their way. All are read again after a reconnect (spread over 1 s) and at the audit (over half
//! of its interval); whether a znode was written since, or is another one under the same name, is told by
//! its zxids. Another process that takes over a name is a [`Change::Updated`] to another
//! [incarnation](instance::Owner::incarnation); the same one in a new session is no change.
//!
//! A record that may not be read, or makes no sense, leaves the defaults, is counted
//! ([`View::unreadable`]) and named once in a log. That a znode may be read from now on is noticed at its
//! next write, or by the audit: ZooKeeper has no event for it. Servers with the mend of CVE-2024-23944 keep
//! back the events of znodes that we may not read: such a znode comes, changes and goes with the next list or
//! audit.
//!
//! # What it costs
//! For each follower of a root with N instances, in requests:
//!
//! |                        | since 3.6, names | since 3.6, records | before 3.6, names | before 3.6, records |
//! | ---------------------- | ---------------- | ------------------ | ----------------- | ------------------- |
//! | start                  | 3, and a list    | + N / 256          | 1, and a list     | + N                 |
//! | an instance comes      | 0                | 1                  | a list            | a list + 1          |
//! | an instance goes       | 0                | 0                  | a list            | a list              |
//! | a record is written    | 0 (one event)    | 1                  | 0                 | 1                   |
//! | a reconnect            | 3 (a list if the root moved) | + N / 256 | 1, and a list  | + N                 |
//! | an audit               | 1 (a list if the root moved) | + N / 256 | 1              | + N                 |
//!
//! Changes close together share a request. Before 3.6 that is what keeps the cost down: a list tells of
//! all that happened before it, and lists are at least 10 ms apart, so a thousand changes a second cost at
//! most a hundred lists, of all N names each. With records there is a watch for each instance on such a
//! server, too.
//!
//! A new snapshot copies N pointers; instances that have not changed are shared. On one busy machine a change
//! took 0.5 ms from the writer to a reader of changes with 10 instances, 0.9 ms with 10,000 and 2 ms with
//! 40,000; with records, which wait 5 ms for others, 7, 8 and 11 ms; and before 3.6, where each is a list,
//! 0.5, 8 and 24 ms by names. `cargo bench -p discovery` measures it.
//!
//! # What it does not
//! * Check whether an instance is healthy. A killed process stays listed until its session expires:
//!   retry elsewhere (the crate `balance` does).
//! * Page through a list: ZooKeeper has no request for that. A list is one answer of N names, 4 bytes and the
//!   name each, and larger than 1 MiB it is read and followed as any other: servers limit what they are asked
//!   (`jute.maxbuffer`), and not what they answer. It must arrive within the deadline of a request, though.
//! * Bound the size of an answer in advance: ZooKeeper lets a znode hold 1 MiB, and until a record was read
//!   its size is a guess, at first 4 KiB. Of data above 64 KiB only the length is looked at.
//!
//! # Metrics
//! Through the facade of the crate `metrics`, labelled with the root: instances, held, skipped and unreadable
//! ones, whether the view is live, when it was last known to be true, events, lists, reads. Install the
//! recorder before following starts. `docs/metrics.md` has the table.
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use discovery::{Change, Config, Discovery};
//! use zk_core::{ZnodePath, Zk};
//!
//! let zk = Zk::start(zk_core::Config::new("127.0.0.1:2181")?)?;
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
mod membership;
mod metrics;
mod publisher;
mod reads;
mod record_cache;
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
