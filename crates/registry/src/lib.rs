//! Keeps the instances of a service registered in ZooKeeper: through reconnects, expired sessions, outages, and
//! deletions by hand. Each registration has a task, its *keeper*, that compares the znode with the declared instance
//! after every event that may have changed it, audits it every 30 s, and repairs the difference.
//!
//! ```
//! use std::time::Duration;
//! use instance::Instance;
//! use registry::{Registrar, RegistrarConfig};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = zk_embedded::Server::builder().start().await?;
//! # let hosts = server.addr().to_string();
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let bound = listener.local_addr()?;
//! let zk = zk_core::Zk::start(zk_core::ZkConfig::new(&hosts)?)?;
//! let registrar = Registrar::new(&zk, RegistrarConfig::new("/go_servers".parse()?));
//! // A socket that listens on 0.0.0.0 needs another endpoint: an address of this machine that callers can reach.
//! let registration = registrar.register_bound(Instance::new(bound.try_into()?), bound)?;
//! registration.registered().await?;
//! // ... serve ...
//! registration.deregister(Duration::from_secs(2)).await?;
//! zk.close(Duration::from_secs(2)).await?;
//! # Ok(()) }
//! ```
//!
//! # Promises
//!
//! | event | the keeper |
//! | --- | --- |
//! | reconnect in the same session | writes nothing; the znode stays as it is |
//! | session expired | creates the znode in the new session, with the latest weight and tags |
//! | reply lost | reads the znode before it decides |
//! | znode deleted by hand, or its parents | creates it at once; after the next audit if the watch event was lost |
//! | data overwritten | restores it within 1 s; more slowly each time, up to 1 s, where a client goes on overwriting |
//! | stale znode of this owner (see [`register_bound`](Registrar::register_bound)) | takes it over in one transaction: no reader misses the name, and the end of the old session does not delete the znode |
//! | znode of another owner | never touches it: [`RegistrationStatus::Conflict`] names the holder, and two rivals never fight. Takes the name once it is free: at once by watch, or, if the event was lost, after 1 s at first and one audit interval at last |
//! | an ACL denies a request | reports [`TroubleKind::Denied`] and retries within 1 s; no other registration is affected |
//! | the server closes the connection on a write | reports [`TroubleKind::CutOff`] and writes more and more rarely; each attempt costs the link a reconnect, and no other znode changes |
//! | [`Registration::update`], however often | writes the latest record at once, with the version that is known: it is on the znode within two round trips, if no other client writes; [`Registration::updated`] waits for that |
//! | [`Registration::deregister`] | deletes the znode at once, whatever else is under way, and tells that it was meant: see "A deletion that is told" |
//!
//! * [`Registration::status`] is true at any time: [`RegistrationStatus::Registered`] only while the znode is known to exist, the link is
//!   up, and a watch reports changes, or is being set again. A link that is down is noticed within 2/5 of the session
//!   timeout; overwritten data (until it is restored) and an update on its way count as registered.
//! * The znode is EPHEMERAL, owned by the process's one session, and named `root/host:port`, in the endpoint's one
//!   form. It has the configured ACL ([`RegistrarConfig::with_acl`]), as have the root and its parents where they were
//!   missing; znodes that exist keep theirs.
//! * Weight, tags and whether an instance is draining change in place. A deregistered instance stays deregistered.
//! * A task that ends early (a panic in a [`Format`](instance::Format), a runtime that is dropped) leaves its registrations
//!   [`RegistrationStatus::Abandoned`], and no call waits for it. [`Registrar::shutdown`] waits for the end of all tasks.
//! * With [`Zk::start_on`](zk_core::Zk::start_on), the same seed and the same ensemble give the same requests.
//!
//! # A deletion that is told
//!
//! One transaction writes the znode, empty, and deletes it. A recursive watcher receives both events next to each other, which
//! neither the end of a session nor a plain delete produces, and can believe the leave at once: `discovery` does. Where the transaction is refused (no right to write the znode, a quota) or its
//! outcome is not known, and before ZooKeeper 3.6, a plain delete follows: no deregistration fails for it.
//!
//! # Limits
//!
//! * The health of the service is not checked: bind, listen and accept before you register; deregister first when you
//!   stop.
//! * ZooKeeper leaves one window open: a znode of another owner that replaces the stale one between our read and our
//!   transaction (both at version 0) is replaced, and one that replaces ours between our read and our write or delete is
//!   written, and then left alone, or deleted. What is registered is written and deleted without a read: there the window
//!   is from the change to its event (to the audit, if that is lost), and only a znode with the same version is concerned.
//!   Its owner learns of it by its own watch.
//! * The audit, not a watch, finds data that was overwritten while the link was down, where the root watch confirms all
//!   registrations without a read; and changes of a znode whose ACL was changed by hand so that we cannot read it.
//!
//! # Features
//!
//! With the cargo feature `serde`, off by default, [`RegistrarConfig`] is read and written, and [`RegistrationStatus`] written.
//!
//! # Costs
//!
//! Thousands of registrations share one watch, one `sync` for each connection and one audit of the list: see
//! [`Registrar`]. The log has at most ten lines a second and registrar about single registrations; more go to level
//! debug, and one line a second counts them and the registrations by status. `RUST_LOG=arrow=trace` shows each step of the
//! keepers by name: events of the target `arrow` with the fields `machine` (`keeper`, `registration`), `from`, `on` and `to`.
//! Metrics go to the facade of the crate
//! `metrics`, by `root`: `registry_registrations` (a gauge by `status`), `registry_created_total`,
//! `registry_taken_over_total`, `registry_conflicts_total`, `registry_lost_total`, `registry_failures_total` (by
//! `kind`). Install a recorder before the first registration.

mod config;
mod decide;
mod error;
mod inbox;
mod keeper;
mod log_limiter;
mod metrics;
mod names;
mod process;
mod readiness;
mod registrar;
mod registration;
mod shared;
mod singleflight;
mod status;
mod wish;

pub use config::{RegistrarConfig, RegistrarConfigError};
pub use error::{DeregisterError, NotRegistered, RegisterError, ShutdownError};
pub use registrar::Registrar;
pub use registration::Registration;
pub use status::{Holder, RegistrationStatus, Trouble, TroubleKind};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
