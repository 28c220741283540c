//! Chooses which of a set of endpoints to call, and avoids those that fail.

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
mod info;
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
pub use config::{Config, ConfigError};
pub use ejection::Ejection;
pub use entry::Entry;
pub use failure::Failure;
pub use hash::stable_hash;
pub use info::EndpointInfo;
pub use members::{Change, Health, MAX_ABSENT, MEMORY};
pub use pick::Pick;
pub use picker::{Context, LeastLoaded, PeakEwma, Picker, Random, Rendezvous, RoundRobin, Sticky, Weighted};
pub use reader::{PickError, Reader};
pub use rng::Rng;
pub use strategy::{Strategy, StrategyPicker, UnknownStrategy};
