//! Chooses which of a set of endpoints to call, and avoids those that fail.
//!
//! A [`Balancer`] keeps the current set, under any key; each [`Pick`] reports how its call went, and an endpoint
//! that fails is ejected until a trial succeeds. [`call`] adds deadlines, and tries another endpoint on failure.
//!
//! ```
//! use balance::{Balancer, Config, Failure, Strategy};
//!
//! let balancer = Balancer::new(Config::new(Strategy::RoundRobin));
//! balancer.update(["10.0.0.1:80", "10.0.0.2:80"]);
//!
//! let pick = balancer.pick()?;
//! assert_eq!(*pick.key(), "10.0.0.1:80");
//! pick.fail(Failure::Refused); // the connection was refused
//!
//! for _ in 0..10 {
//!     let pick = balancer.pick()?;
//!     assert_eq!(*pick.key(), "10.0.0.2:80");
//!     pick.succeed();
//! }
//! # Ok::<(), balance::PickError>(())
//! ```
//!
//! # Promises
//! - A pick takes no lock and allocates nothing. While most endpoints are in service it looks at one or two of them,
//!   however many there are.
//! - [`Balancer::update`] swaps the set as a whole: a pick is made from one set or the other. Health survives updates,
//!   and absences of up to [`MEMORY`].
//! - The crate makes no connections and no health checks, starts no tasks, and knows nothing of ZooKeeper. It counts
//!   attempts, retries, ejections and endpoints out of service, but not picks, for the recorder of the crate `metrics`
//!   that is installed before the balancer is made.
//!
//! # In service, ejected, on probation
//! ```text
//!               a call fails: for 200 ms
//!  in service ─────────────────────────────► ejected ◄─────────────────────┐
//!      ▲                                        │ the time is over         │ the trial fails:
//!      │                                        ▼                          │ for twice as long,
//!      └──────────────────────────────── on probation ─────────────────────┘ up to 10 s
//!               the trial succeeds         one pick is the trial,
//!                                          the others avoid it
//! ```
//!
//! An ejected endpoint is not picked as long as another one can be. Reports of calls from before the ejection change
//! nothing: a hundred concurrent failures count as one, and a late answer does not bring a dying process back.
//!
//! *When all look bad*, the fault may be the caller's, and to try beats to give up: every endpoint is picked whose last
//! call was not refused (a refusal proves that nothing listens there); if all were refused, the one whose ejection ends
//! soonest. Such a pick is no trial: its failure does not extend the
//! ejection, its success ends it.

mod balancer;
mod config;
mod failure;
mod health;
mod metrics;
mod pick;
mod picker;
mod retry;
mod rng;
mod table;

pub use balancer::{Balancer, PickError};
pub use config::{Config, ConfigError};
pub use failure::Failure;
pub use health::Health;
pub use pick::Pick;
pub use picker::{Strategy, UnknownStrategy};
pub use retry::{Answered, Attempt, CallConfig, CallError, Classify, GaveUp, MAX_LISTED_ATTEMPTS, call};
pub use table::{EndpointStatus, MAX_ABSENT, MEMORY};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
