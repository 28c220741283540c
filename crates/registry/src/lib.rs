//! Keeps declared instances registered in ZooKeeper, whatever happens.
//!
//! A registration is a desired state, not a call: a task of its own, the *keeper*, compares what should
//! be with what is whenever that could have changed (a new session, a reconnect, a watch, an audit twice a
//! minute) and mends the difference. [`Registration::status`] tells the truth about it at any time.
//!
//! # What it promises
//! * [`Status::Registered`] is said only while the znode is known to stand and the link is up. Its limits: that
//!   the link is down is noticed within 2/5 of the session timeout; what is written over ours counts as registered
//!   until it is mended, which is within a second; and so does an update on its way.
//! * The znode is EPHEMERAL, owned by the program's one session, under its own name: `root/host:port`, in the one
//!   form that an endpoint has.
//! * A reconnect inside the session writes nothing and flaps nothing. After an expiry the znode is created
//!   anew.
//! * A stale znode of the same owner (see below) is taken over in one transaction: no reader ever finds
//!   the name missing, and the znode does not vanish when its old session does.
//! * A znode of anybody else is never touched. The status is [`Status::Conflict`], with the holder; the
//!   name is taken when it falls free, at once by watch, and if that was lost after a second at first and an audit
//!   interval at last. Two rivals never fight.
//! * Deleted by hand, the znode is back at once, parents included; by the audit if the watch was lost.
//! * Lost replies are resolved by looking. Deregistered stays deregistered.
//! * Weight and tags can be changed in place, and survive every re-registration. Who writes over them again and
//!   again is answered ever more slowly, after a second at most.
//! * What is created has the ACL asked for ([`Config::with_acl`]): open, or the creator's own. So have the root and
//!   its parents if they were missing; what exists keeps what it has.
//! * What an ACL denies is told ([`TroubleKind::Denied`]), tried again within a second, and concerns no other
//!   registration.
//! * A write that the server answers by cutting the connection, as it does where its `jute.maxbuffer` is smaller
//!   than the request, is told ([`TroubleKind::CutOff`]) and does not take the others down with it: after the
//!   second cut in a row, and a look that found nothing written, this registration waits before each further
//!   trial, a second at first and twice as long each time, up to the audit interval (or to a second for each
//!   registration in that trouble, if that is more). With other data it is written at once. Each trial costs
//!   everybody on the link a reconnect, which flaps nothing. A link that breaks twice in the middle of the same
//!   write, for whatever reason, costs that write the second, too.
//!
//! # Many at once
//! One registrar keeps thousands of registrations, and what they need alike is done once:
//!
//! * Up to [`Registrar::OWN_WATCHES`] registrations have a watch of their own each. Beyond them one recursive
//!   watch over the root serves all, so a server never holds more than that many and one. It may stand beside
//!   that of the crate `discovery`; nobody may set another kind of watch on the root in the same session
//!   (ZOOKEEPER-4466).
//! * With the shared watch a registration costs one request, a create, where nothing of that name stands; an
//!   update and a deregistration cost a look and a write. Without it, one more look sets the watch. At most 256 steps are under way at one time, which leaves room on
//!   the link for others.
//! * A reconnect costs one `sync`, and a look each. With the shared watch it costs four requests in all if
//!   nothing was created or deleted below the root meanwhile and in the second before; else a look each, too.
//! * With the shared watch the audit compares the list with the names, by one read if nothing has moved, and
//!   looks at single znodes at most 200 a second.
//! * Where more than 500 are in trouble at once, each waits longer in proportion.
//!
//! The limits: while the link is down somebody may write over the data of a znode, which is found at its next
//! audit if all were confirmed without a look. Servers before ZooKeeper 3.6 know no recursive watch, and the
//! attempt may cost one connection in each session; then every znode has its own. Where the ACL of a znode was
//! changed by hand so that we may not read it, the shared watch may not tell of it: the audit does.
//!
//! # Whose is a znode that is there already?
//! It is ours if this [`Registrar`] wrote it (it bears our incarnation). It is a stale one of ours if it
//! was written on the same boot of the same host, in the same network namespace, for the same bound
//! address, **and** the caller vouches, by [`Socket::Bound`], that it holds that listening socket now: then
//! its writer cannot be alive. That counts only until this registrar has held the name once.
//!
//! # What it tells
//! The status tells of one registration. The log tells of at most ten a second and registrar; more go to level
//! debug, and one line a second counts them and says how many stand where. Metrics go to the facade of the crate
//! `metrics`, by root: `registry_registrations` (a gauge by `status`), `registry_created_total`,
//! `registry_taken_over_total`, `registry_conflicts_total`, `registry_lost_total` and `registry_failures_total` (by
//! `kind`). Install a recorder before the first registration.
//!
//! # What it does not
//! * Check the health of the service: bind, listen and accept before you register, and deregister first
//!   when you stop.
//! * Close one window that ZooKeeper leaves open: a stranger's znode that replaces the stale one between
//!   our look and our transaction (both at version 0) is replaced, and one that replaces ours between our look and
//!   our delete is deleted. It finds out by its own watch.
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use instance::Instance;
//! use registry::{Config, Registrar, Socket};
//! use zk_core::{ZnodePath, Zk};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8897").await?;
//! let bound = listener.local_addr()?;
//! // Where you listen on every address (0.0.0.0), put one that callers can reach in the place of `bound` below.
//! let endpoint = bound.try_into()?;
//!
//! let zk = Zk::start(zk_core::Config::new("127.0.0.1:2181")?)?;
//! let registrar = Registrar::new(zk.clone(), Config::new(ZnodePath::parse("/go_servers")?));
//! let registration = registrar.register(Instance::new(endpoint), Socket::Bound(bound))?;
//! registration.registered().await?;
//!
//! // ... serve ...
//!
//! registration.deregister(Duration::from_secs(2)).await?;
//! zk.close(Duration::from_secs(2)).await?;
//! # Ok(())
//! # }
//! ```

mod config;
mod decide;
mod error;
mod keeper;
mod log_limiter;
mod metrics;
mod notify;
mod process;
mod registrar;
mod registration;
mod root_watch;
mod singleflight;
mod status;

pub use config::{Config, ConfigError};
pub use error::{DeregisterError, RegisterError};
pub use registrar::{Registrar, Socket};
pub use registration::Registration;
pub use status::{Holder, Status, Trouble, TroubleKind};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
