//! Follows the children of a znode over all connections of a link, without reading them again.

mod common;
mod config;
mod count;
mod driver;
mod follow;
mod io;
mod learn;
mod looks;
mod machine;
mod one_shot;
mod recursive;
mod requests;
mod told;
mod update;
mod watches;

pub use config::{Config, Lists};
pub use driver::RootWatch;
pub use update::{ListReason, Listing, Live, Update, Watched};
