//! The client as a `tower::Layer`.

use tower::{Layer, Service};

use super::balanced::Balanced;
use crate::client::{Callee, Client};

/// Makes a [`Balanced`] of what makes connections.
///
/// ```
/// # fn example<M: tower::Service<zk_roster::Callee, Response: Clone + Send + 'static>>(client: zk_roster::Client, make: M) {
/// use tower::ServiceBuilder;
/// use zk_roster::tower::BalancedLayer;
///
/// let web = ServiceBuilder::new().layer(BalancedLayer::new(&client)).service(make);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BalancedLayer {
    client: Client,
    is_idempotent: bool,
}

impl BalancedLayer {
    /// Calls the service that `client` follows.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone(), is_idempotent: false }
    }

    /// As [`Balanced::idempotent`].
    #[must_use]
    pub fn idempotent(mut self, is_idempotent: bool) -> Self {
        self.is_idempotent = is_idempotent;
        self
    }
}

impl<M> Layer<M> for BalancedLayer
where
    M: Service<Callee>,
    M::Response: Clone + Send + 'static,
{
    type Service = Balanced<M>;

    /// # Panics
    /// Outside a tokio runtime.
    fn layer(&self, make: M) -> Balanced<M> {
        Balanced::new(&self.client, make).idempotent(self.is_idempotent)
    }
}
