//! Follows the children of a znode over all connections of a link, without reading them again.

mod update;

pub use update::{ListReason, Listing, Live, Update, Watched};
