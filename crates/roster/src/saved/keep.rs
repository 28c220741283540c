//! Writes the list when it has changed.

use std::io;
use std::sync::Arc;

use discovery::{Discovery, Members, Snapshot, View};
use rand::RngExt;
use rand::rngs::SmallRng;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};
use zk_core::Sources;

use super::place::SavedPlace;
use super::schedule::Schedule;
use super::{file, format};

/// Writes every list that ZooKeeper confirms and that is not empty, at most every few seconds. Ends when following does, after it has
/// written what is not written yet.
///
/// # Cancel safety
/// A write that has begun goes on, on a thread; the file has the old list or the new one.
pub(crate) async fn keep(place: SavedPlace, discovery: &Discovery, sources: &Sources) {
    let mut views = discovery.views();
    let schedule = Schedule::new(place.max_age);
    let mut writer = Writer { schedule, place, sources, rng: sources.rng(), failing: None };
    let mut last = None;
    loop {
        let view = views.borrow_and_update().clone();
        match to_save(&view) {
            Some(snapshot) => last = Some(snapshot),
            // The list before is known to be wrong.
            None if view.is_live() => last = None,
            None => {}
        }
        let due = last
            .as_ref()
            .and_then(|last| writer.schedule.due(last.revision(), view.is_live(), Instant::now()));
        tokio::select! {
            biased;
            changed = views.changed() => match changed {
                Ok(()) => continue,
                Err(_) => break,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        // Not in the select: a write that is dropped goes on, and could overtake the next one.
        if let Some(last) = &last {
            writer.write(last).await;
        }
    }
    if let Some(last) = last.filter(|last| !writer.schedule.has(last.revision())) {
        writer.write(&last).await;
    }
}

/// The list of a view, if it is worth a file.
fn to_save(view: &View) -> Option<Arc<Snapshot>> {
    let snapshot = view.snapshot.as_ref().filter(|_| view.is_live())?;
    let is_called = |snapshot: &Snapshot| snapshot.instances().any(|instance| !instance.is_draining());
    (matches!(view.members(), Members::Set(_)) && is_called(snapshot)).then(|| Arc::clone(snapshot))
}

struct Writer<'a> {
    place: SavedPlace,
    sources: &'a Sources,
    schedule: Schedule,
    rng: SmallRng,
    /// What the log says already.
    failing: Option<String>,
}

impl Writer<'_> {
    async fn write(&mut self, snapshot: &Arc<Snapshot>) {
        let (place, snapshot, now) = (self.place.clone(), Arc::clone(snapshot), self.sources.wall_clock());
        let (revision, instances, random) = (snapshot.revision(), snapshot.len(), self.rng.random());
        let write = move || {
            let all = snapshot.instances().map(|instance| &**instance);
            file::replace(&place.path, &format::encode(&place, all, now), random)
        };
        let written =
            tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.schedule.ended(revision, written.is_ok(), Instant::now());
        let (service, path) = (&self.place.service, self.place.path.display());
        match written {
            Ok(()) => {
                debug!(service, %path, instances, "roster: saved the list");
                if self.failing.take().is_some() {
                    info!(service, %path, "roster: the list can be saved again");
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.failing.as_ref() != Some(&text) {
                    warn!(service, %path, "roster: cannot save the list: {text}");
                    self.failing = Some(text);
                }
            }
        }
    }
}
