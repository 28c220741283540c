//! The instances of a service as a `tower::discover::Discover`.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use futures_util::stream;
use instance::{Endpoint, Instance};
use tower::discover::{Change, Discover};

use crate::client::{Client, MemberSet};

/// What tower's balancers read: a service for each instance, made by `make` when the instance comes, or when another process
/// takes its place. Those that leave or are draining are removed. A [saved](crate::ClientBuilder::saved_at) list counts until
/// ZooKeeper has listed the service. It ends when following does, and never fails.
///
/// `make` returns at once: the service connects when it is polled, as `tower::reconnect::Reconnect` and a lazy channel of
/// tonic do.
///
/// # Warning
/// A balancer that goes by load alone sends its calls to whatever fails fastest: an instance that refuses connections has nothing
/// in flight, and so looks least loaded. While of three services one was stopped and one killed, tower's choice of two by peak EWMA
/// lost about half of all calls, tonic's own `balance_channel` a tenth to a fifth, and [`Balanced`](super::Balanced) none.
/// `docs/lost-calls.md` of the repository has the figures, and the command that makes them. Nothing here ejects or retries.
pub fn discover<S, F>(
    client: &Client,
    make: F,
) -> impl Discover<Key = Endpoint, Service = S, Error = Infallible> + Send + Unpin + 'static
where
    F: FnMut(&Arc<Instance>) -> S + Send + 'static,
    S: Send + 'static,
{
    let members = client.members();
    // The client stays: following ends with its last clone.
    let state = (client.clone(), make, members, Known::default(), true);
    Box::pin(stream::unfold(state, async |(client, mut make, mut members, mut known, mut is_first)| {
        let due = loop {
            if let Some(due) = known.due.pop_front() {
                break due;
            }
            if !std::mem::take(&mut is_first) {
                members.changed().await.ok()?;
            }
            let now = members.borrow_and_update().clone();
            known.look(&now);
        };
        let change = match due {
            Due::Insert(instance) => Change::Insert(instance.endpoint().clone(), make(&instance)),
            Due::Remove(endpoint) => Change::Remove(endpoint),
        };
        Some((Ok(change), (client, make, members, known, is_first)))
    }))
}

/// What the balancer has been told, and what it is still to be told.
#[derive(Debug, Default)]
struct Known {
    /// With the process behind each, where that is known.
    endpoints: BTreeMap<Endpoint, Option<u128>>,
    due: VecDeque<Due>,
}

#[derive(Debug, PartialEq)]
enum Due {
    Insert(Arc<Instance>),
    Remove(Endpoint),
}

impl Known {
    fn look(&mut self, members: &MemberSet) {
        let takes_calls = |instance: &&Arc<Instance>| !instance.is_draining();
        let due = &mut self.due;
        self.endpoints.retain(|endpoint, _| {
            let stays = members.get(endpoint).filter(takes_calls).is_some();
            if !stays {
                due.push_back(Due::Remove(endpoint.clone()));
            }
            stays
        });
        for instance in members.instances().filter(takes_calls) {
            let process = instance.owner().map(|owner| owner.incarnation().as_u128());
            if self.endpoints.get(instance.endpoint()) != Some(&process) {
                self.endpoints.insert(instance.endpoint().clone(), process);
                self.due.push_back(Due::Insert(Arc::clone(instance)));
            }
        }
    }
}
