//! What the calls of a caller share.

use std::sync::Arc;

use parking_lot::Mutex;

use super::config::CallConfig;
use super::fair_time::FairTime;
use super::trials::Trials;
use crate::reader::Reader;
use crate::shared::Shared;

/// What the calls of a caller share.
pub(super) struct Common<K, V, P> {
    pub(super) shared: Arc<Shared<K, V>>,
    /// Locked for the pick only.
    pub(super) reader: Mutex<Reader<K, V, P>>,
    pub(super) config: CallConfig,
    pub(super) fair_time: FairTime,
    pub(super) trials: Trials,
}
