//! An instance, as the balancer knows it.

use std::sync::Arc;

use balance::EndpointInfo;
use instance::Instance;

/// An instance of a service, and whether its disappearance is not believed yet.
#[derive(Clone, Debug)]
pub struct Member {
    instance: Arc<Instance>,
    is_held: bool,
}

impl Member {
    pub(super) fn new(instance: Arc<Instance>, is_held: bool) -> Self {
        Self { instance, is_held }
    }

    /// Returns the instance: endpoint, weight, tags, owner.
    #[must_use]
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }
}

impl EndpointInfo for Member {
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
