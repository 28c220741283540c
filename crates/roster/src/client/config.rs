//! What a client is started with.

use balance::{BalancerConfig, CallConfig};
use discovery::DiscoveryConfig;

use crate::saved::SavedPlace;

/// What a client is started with.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) discovery: DiscoveryConfig,
    pub(super) balancer: BalancerConfig,
    pub(super) call: CallConfig,
    pub(super) saved: Option<SavedPlace>,
}
