//! Reads the saved list at the start.

use std::time::SystemTime;

use tracing::{debug, info, warn};
use zk_core::Sources;

use super::list::SavedList;
use super::place::SavedPlace;
use super::unusable::Unusable;
use super::{file, format};

/// Reads the list, if there is one that may be used. Says in the log what it found; it never fails.
///
/// # Cancel safety
/// Safe: a thread may still read for a moment, and what it has read is dropped.
pub(crate) async fn load(place: SavedPlace, sources: Sources) -> Option<SavedList> {
    let now = sources.wall_clock();
    let (service, path) = (place.service.clone(), place.path.clone());
    // A disk may be slow, or behind a network.
    let read = tokio::task::spawn_blocking(move || read(&place, now)).await;
    let path = path.display();
    match read {
        Ok(Ok(Some(list))) => {
            let age = now.duration_since(list.saved_at()).unwrap_or_default();
            let instances = list.instances().len();
            info!(service, instances, ?age, %path, "roster: calls go by the saved list until ZooKeeper lists the service");
            Some(list)
        }
        Ok(Ok(None)) => {
            debug!(service, %path, "roster: there is no saved list yet");
            None
        }
        Ok(Err(unusable)) => {
            warn!(service, %path, "roster: the saved list is not used: {}", unusable.short());
            None
        }
        // The runtime ends.
        Err(_) => None,
    }
}

fn read(place: &SavedPlace, now: SystemTime) -> Result<Option<SavedList>, Unusable> {
    match file::read(&place.path)? {
        Some(bytes) => format::decode(&bytes, place, now).map(Some),
        None => Ok(None),
    }
}
