//! Where connections are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use discovery::View;
use instance::Endpoint;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

type Make = dyn Fn(&Endpoint) -> reqwest::Result<reqwest::Client> + Send + Sync;
type Clients = Mutex<BTreeMap<Endpoint, reqwest::Client>>;

/// Where connections are kept.
#[derive(Clone)]
pub(super) enum Pools {
    /// One client for all.
    One(reqwest::Client),
    /// One for each instance.
    Each(Arc<Each>),
}

/// A client for each instance that is listed.
pub(super) struct Each {
    make: Arc<Make>,
    clients: Arc<Clients>,
    views: watch::Receiver<Arc<View>>,
    /// Ends with this, or when following does.
    _dropping: AbortOnDropHandle<()>,
}

impl Pools {
    pub(super) fn of_each(views: watch::Receiver<Arc<View>>, make: Arc<Make>) -> Self {
        let clients = Arc::<Clients>::default();
        let dropping = tokio::spawn(drop_gone(Arc::clone(&clients), views.clone()));
        Self::Each(Arc::new(Each { make, clients, views, _dropping: AbortOnDropHandle::new(dropping) }))
    }

    /// Returns the client for an instance.
    pub(super) fn client(&self, endpoint: &Endpoint) -> reqwest::Result<reqwest::Client> {
        match self {
            Self::One(client) => Ok(client.clone()),
            Self::Each(each) => each.client(endpoint),
        }
    }
}

impl Each {
    fn client(&self, endpoint: &Endpoint) -> reqwest::Result<reqwest::Client> {
        if let Some(client) = self.clients.lock().get(endpoint) {
            return Ok(client.clone());
        }
        // The caller's code runs without the lock.
        let new = (self.make)(endpoint)?;
        let client = self.clients.lock().entry(endpoint.clone()).or_insert(new).clone();
        // It may have gone since it was chosen, and nobody may look again.
        if is_gone(&self.views.borrow(), endpoint) {
            let gone = self.clients.lock().remove(endpoint);
            drop(gone);
        }
        Ok(client)
    }
}

/// Drops the clients of instances that have gone.
async fn drop_gone(clients: Arc<Clients>, mut views: watch::Receiver<Arc<View>>) {
    while views.changed().await.is_ok() {
        let view = views.borrow_and_update().clone();
        // Dropped without the lock: that may close connections.
        let gone: Vec<_> = clients.lock().extract_if(.., |endpoint, _| is_gone(&view, endpoint)).collect();
        drop(gone);
    }
}

/// Nobody has gone as long as nothing is known.
fn is_gone(view: &View, endpoint: &Endpoint) -> bool {
    view.snapshot.as_ref().is_some_and(|known| known.get(endpoint).is_none())
}
