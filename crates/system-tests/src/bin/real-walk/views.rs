//! Records the views of a client, each before anybody acts on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use oracle::{Shown, What};
use parking_lot::Mutex;
use tokio::sync::watch;
use zk_roster::{Discovery, View};

use crate::child::Child;

/// The views of a client. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Views {
    child: Child,
    views: watch::Receiver<Arc<View>>,
    reads_records: bool,
    last: Arc<Mutex<Option<What>>>,
}

impl Views {
    /// Records each view for as long as the client follows.
    pub(crate) fn record(child: Child, discovery: &Discovery, reads_records: bool) -> Self {
        let views = Self { child, views: discovery.views(), reads_records, last: Arc::default() };
        views.look();
        let mut recording = views.clone();
        tokio::spawn(async move {
            while recording.views.changed().await.is_ok() {
                recording.look();
            }
        });
        views
    }

    /// Records the present view, if it is another one. An attempt may begin before the task above has run.
    pub(crate) fn look(&self) {
        // Under the lock, so that views are recorded in their order.
        let mut last = self.last.lock();
        let view = self.views.borrow().clone();
        let shown = self.shown(&view);
        if last.as_ref() != Some(&shown) {
            self.child.recorder.record(shown.clone());
            *last = Some(shown);
        }
    }

    fn shown(&self, view: &View) -> What {
        let instances = view.snapshot.iter().flat_map(|set| set.instances());
        let instances: BTreeMap<_, _> = instances
            .map(|instance| {
                let incarnation = instance.owner().map(|owner| owner.incarnation().to_string());
                let shown = Shown {
                    weight: instance.weight(),
                    draining: instance.is_draining(),
                    incarnation: incarnation.filter(|_| self.reads_records),
                    held: view.is_held(instance.endpoint()),
                };
                (instance.endpoint().to_string(), shown)
            })
            .collect();
        What::View {
            process: self.child.name.clone(),
            live: view.is_live(),
            revision: view.snapshot.as_ref().map(|set| set.revision()),
            instances,
        }
    }
}
