//! Which of a set of endpoints to call next, from what became of the calls before.
//!
//! # What it is for
//!
//! A [`Balancer`] holds the current set of endpoints, under any key: it knows nothing of ZooKeeper, of
//! sockets or of how the set came about. [`Balancer::pick`] chooses one by a [`Strategy`] and returns a
//! guard, the [`Pick`], to which the caller reports how the call went. [`call`] does the rest of what a
//! caller needs: deadlines, and going elsewhere when an endpoint fails.
//!
//! # What it promises
//!
//! - A pick takes no lock and allocates nothing. While most endpoints are in service it looks at one or
//!   two of them, however many there are.
//! - [`Balancer::update`] swaps the whole set at once. A pick is made from one set or from the other.
//! - What is known about an endpoint survives updates, and absences of up to [`MEMORY`].
//!
//! # In service, ejected, on probation
//!
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
//! An ejected endpoint is not picked as long as another one can be. Reports of calls that began before the
//! ejection change nothing: a hundred calls that fail together count as one failure, and an answer that was
//! on its way does not bring a dying process back.
//!
//! *When all look bad*, the fault may be on our side, and trying beats giving up: then every endpoint is
//! picked except those whose last call was refused, which tells for sure that nobody listens. If all were
//! refused, the one whose ejection ends soonest is picked. Such a pick is no trial: when it fails, the
//! ejection is not extended; when it succeeds, the endpoint is back in service.
//!
//! # What it counts
//!
//! Attempts, retries, ejections and endpoints out of service, through the facade `metrics`: nothing unless
//! the program installs a recorder, which it should do before it makes a balancer. A pick counts nothing.
//!
//! # What it does not do
//!
//! It makes no connections and no health checks of its own, and it starts no tasks.
//!
//! # Example
//!
//! ```
//! use balance::{Balancer, Config, Failure, Strategy};
//!
//! let balancer = Balancer::new(Config::new(Strategy::RoundRobin));
//! balancer.update(["10.0.0.1:80", "10.0.0.2:80"]);
//!
//! let pick = balancer.pick()?;
//! assert_eq!(*pick.key(), "10.0.0.1:80");
//! pick.fail(Failure::Refused); // what became of connecting to it
//!
//! for _ in 0..10 {
//!     let pick = balancer.pick()?;
//!     assert_eq!(*pick.key(), "10.0.0.2:80");
//!     pick.succeed();
//! }
//! # Ok::<(), balance::PickError>(())
//! ```

mod balancer;
mod config;
mod health;
mod metrics;
mod pick;
mod picker;
mod retry;
mod rng;
mod table;

pub use balancer::{Balancer, PickError};
pub use config::{Config, ConfigError};
pub use health::Health;
pub use pick::{Failure, Pick};
pub use picker::{Strategy, UnknownStrategy};
pub use retry::{Answered, Attempt, CallConfig, CallError, Classify, GaveUp, MAX_ATTEMPTS, call};
pub use table::{EndpointStatus, MAX_ABSENT, MEMORY};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
