//! Passes what discovery finds on to the balancer, change by change.

use std::sync::Arc;

use balance::{Balancer, Change, EndpointInfo};
use discovery::{Discovery, Snapshot, View, diff};
use instance::{Endpoint, Instance};

/// A server, as the balancer knows it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    instance: Arc<Instance>,
    is_held: bool,
}

impl EndpointInfo for Server {
    fn weight(&self) -> u32 {
        self.instance.weight()
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.instance.tag(name)
    }

    fn incarnation(&self) -> Option<u128> {
        self.instance.owner().map(|owner| owner.incarnation().as_u128())
    }

    fn is_draining(&self) -> bool {
        self.instance.is_draining()
    }

    fn is_held(&self) -> bool {
        self.is_held
    }
}

/// Passes every new set of instances to the balancer. Ends when following does.
pub(crate) async fn feed(balancer: &Balancer<Endpoint, Server>, discovery: &Discovery) {
    let mut views = discovery.views();
    let mut fed = Fed::default();
    loop {
        let view = views.borrow_and_update().clone();
        if let Some(changes) = fed.changes(&view) {
            balancer.apply(changes);
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}

/// What the balancer has been told.
#[derive(Debug, Default)]
struct Fed {
    snapshot: Option<Arc<Snapshot>>,
    held: Arc<[Endpoint]>,
}

impl Fed {
    /// The changes that lead to a view; `None` while nothing is known.
    fn changes(&mut self, view: &View) -> Option<Vec<Change<Endpoint, Server>>> {
        let now = view.snapshot.as_ref()?;
        let server = |instance: &Arc<Instance>| {
            let endpoint = instance.endpoint().clone();
            let is_held = view.is_held(&endpoint);
            Change::Insert(endpoint, Server { instance: Arc::clone(instance), is_held })
        };
        let mut changes = Vec::new();
        match &self.snapshot {
            None => changes.extend(now.instances().map(server)),
            Some(before) => {
                for change in diff(before, now) {
                    match change {
                        discovery::Change::Added(instance)
                        | discovery::Change::Updated { new: instance, .. } => changes.push(server(&instance)),
                        discovery::Change::Removed(instance) => {
                            changes.push(Change::Remove(instance.endpoint().clone()));
                        }
                        discovery::Change::Reset(_) => unreachable!("no difference is a whole set"),
                    }
                }
            }
        }
        // Those that begin or end to be held are in the set before and after.
        let differs = |endpoint: &&Endpoint| self.held.contains(endpoint) != view.is_held(endpoint);
        let both = self.held.iter().chain(view.held_endpoints());
        changes.extend(both.filter(differs).filter_map(|endpoint| now.get(endpoint)).map(server));
        (self.snapshot, self.held) = (Some(Arc::clone(now)), view.held_endpoints().into());
        Some(changes)
    }
}
