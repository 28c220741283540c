//! Follows the children of a znode over all connections of a link, without reading them again.

mod config;
mod driver;
mod update;

pub use config::{Config, Lists};
pub use driver::RootWatch;
pub use update::{ListReason, Listing, Live, Update, Watched};
