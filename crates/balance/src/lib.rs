//! Chooses which of a set of endpoints to call, and avoids those that fail.
//!
//! ```
//! use balance::{Balancer, BalancerConfig, Failure, Strategy};
//!
//! let balancer = Balancer::new(BalancerConfig::new(Strategy::RoundRobin));
//! balancer.update([("10.0.0.1:80", ()), ("10.0.0.2:80", ())]);
//! let mut reader = balancer.reader();
//!
//! let pick = reader.pick()?;
//! let failed = *pick.key();
//! pick.fail(Failure::Refused); // the connection was refused
//!
//! for _ in 0..10 {
//!     let pick = reader.pick()?;
//!     assert_ne!(*pick.key(), failed);
//!     pick.succeed();
//! }
//! # Ok::<(), balance::PickError>(())
//! ```
//!
//! * A [`Balancer`] has the current set. The *key* of an endpoint is its identity, and what a caller needs for a call; its
//!   *value* says what is known of it: weight, tags, whether it is draining ([`EndpointInfo`]). `()` says nothing.
//! * A [`Reader`], one for each task or thread, picks by a [`Strategy`], or by a [`Picker`] of your own.
//! * A [`Pick`] stands for one call, and reports how it went. [`Reader::choose`] picks without that.
//! * A [`Caller`] makes whole calls: it adds deadlines, and tries another endpoint on failure, within a [`Budget`].
//!   [`Caller::call_idempotent`] is for operations that may be repeated, and [`Caller::call`] for all others.
//!
//! # Promises
//! - A pick takes no lock and allocates nothing, except where it starts a trial. While most endpoints may be used it looks at
//!   one or two of them, however many there are. ([`Weighted`] draws until one fits, mostly once or twice; [`Sticky`] looks
//!   for its endpoint when the set has changed; [`Rendezvous`] looks at all.)
//! - While the set stays the same, [`Reader::choose`] writes to no memory that another thread uses, and [`Reader::pick`] to
//!   that of the chosen endpoint only. A success in service is reported without a lock, all else with one. A [`Caller`] and its clones
//!   share a reader and a budget, each behind a short lock.
//! - [`Balancer::update`] swaps the set as a whole, and [`Balancer::apply`] makes some changes of it at once: a pick is made
//!   from the set before or the one after. `apply` copies no set, however large.
//! - Health and load belong to the key. They survive a change of the value, and absences of up to [`MEMORY`] (of the last
//!   [`MAX_ABSENT`] that left); a process that is known to be another one ([`EndpointInfo::incarnation`]) begins anew.
//! - A call makes a bounded number of attempts, whatever the number of endpoints, and ends with its time. Its error says why,
//!   and what was tried where. What may have had an effect is repeated only where the caller has said that it may be.
//! - The crate makes no connections and no health checks, and knows nothing of ZooKeeper. The only tasks that it starts are the
//!   trials of [`Caller::call_idempotent`], which end with the caller. It counts attempts, retries, hedges, trials, ejections,
//!   failed calls and endpoints out of service, but not picks, for the recorder of the crate `metrics` that is installed
//!   before the balancer is made.
//!
//! # In service, ejected, on probation
//! ```text
//!               a failure that counts: for 200 ms
//!  in service ─────────────────────────────► ejected ◄─────────────────────┐
//!      ▲                                        │ the time is over         │ the trial fails:
//!      │                                        ▼                          │ for twice as long,
//!      └──────────────────────────────── on probation ─────────────────────┘ up to 10 s
//!               the trial succeeds         one trial decides,
//!                                          all others avoid it
//! ```
//!
//! By default one call without a proper answer ejects, or five answers in a row that say *unavailable* or *overloaded*, or
//! half of the last 32 calls ([`Failure`], [`Ejection`]). An ejected endpoint is not picked as long as another one can be,
//! except as the trial. Reports of calls from before the ejection change nothing: a hundred concurrent failures count as one,
//! and a late answer does not bring a dying process back.
//!
//! Callers do not wait for trials where that can be avoided: [`Caller::call_idempotent`] makes them beside the call, and
//! [`Balancer::probe`] instead of calls. Elsewhere at most one pick in 20 is a trial.
//!
//! *When all look bad*, the fault may be the caller's, and to try beats to give up: endpoints are picked whose last call was not
//! refused (a refusal proves that nothing listens there); if all were refused, the one whose ejection ends soonest. Such a pick
//! is no trial: its failure does not extend the ejection, its success ends it.
//!
//! # Log
//! The crate logs nothing but its steps, at the level `TRACE`: `RUST_LOG=arrow=trace` shows what becomes of endpoints out of
//! service, and of calls whose attempts fail, by name. They are events of the target `arrow` with the fields `machine`
//! (`endpoint`, `call`), `from`, `on` and `to`. Picks log nothing.
//!
//! # Features
//! Off by default: `serde` reads and writes [`Strategy`], [`BalancerConfig`] and [`CallConfig`]; `hyper`, `reqwest` and `tonic`
//! tell what the errors of these clients mean for an endpoint and a retry.
//!
//! # Limits
//! - Load, latency and health are what this balancer has seen. Nothing is shared with other processes.
//! - Endpoints come back by calls or probes: without either, an ejected one stays out.
//! - [`RoundRobin`] is exact for each reader, not across readers; retries of a [`Caller`] move it on. It goes in an order of
//!   its own, and not in that of [`Balancer::update`]; nor does [`Balancer::status`] keep that order.
//! - A call that must not be repeated is lost if it is the trial of an endpoint that takes it and does not answer. A probe
//!   avoids that.
//! - Time is tokio's. [`Caller`] and [`Balancer::probe`] need a tokio runtime; a balancer and its readers need none.
//!
//! `docs/balancing.md` of the repository has the reason of every number, and what picks and hung endpoints cost.

mod balancer;
mod call;
mod candidates;
mod chunked;
mod config;
mod ejection;
mod endpoint;
mod entry;
mod failure;
mod hash;
#[cfg(feature = "serde")]
mod humane;
mod info;
mod into_pair;
mod members;
mod metrics;
mod pick;
mod picker;
mod reader;
mod rng;
mod shared;
mod strategy;
mod sync;
mod table;

pub use balancer::{Balancer, EndpointStatus};
pub use call::{
    Answered, Attempt, Budget, BudgetError, CallConfig, CallError, Caller, Classify, GaveUp,
    MAX_LISTED_ATTEMPTS, Target,
};
pub use candidates::{Candidates, WeightClass};
pub use config::{BalancerConfig, BalancerConfigError};
pub use ejection::Ejection;
pub use entry::Entry;
pub use failure::Failure;
pub use hash::stable_hash;
pub use info::EndpointInfo;
pub use into_pair::IntoPair;
pub use members::{EntryChange, Health, MAX_ABSENT, MEMORY};
pub use pick::Pick;
pub use picker::{Context, LeastLoaded, PeakEwma, Picker, Random, Rendezvous, RoundRobin, Sticky, Weighted};
pub use reader::{PickError, Reader};
pub use rng::Rng;
pub use strategy::{Strategy, StrategyPicker, UnknownStrategy};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
