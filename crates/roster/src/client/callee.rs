//! The instance that an attempt goes to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use balance::Target;
use instance::{Endpoint, Instance};
use tokio::time::Instant;

use super::member::Member;

/// The instance that an attempt goes to, and the time it has. A clone is cheap.
///
/// ```
/// # fn show(callee: zk_roster::Callee) {
/// let url = callee.url("http", "/users?page=2"); // "http://10.0.0.7:80/users?page=2"
/// # }
/// ```
#[derive(Clone)]
pub struct Callee {
    target: Target<Endpoint, Member>,
}

impl Callee {
    pub(super) fn new(target: Target<Endpoint, Member>) -> Self {
        Self { target }
    }

    /// Returns where it is called.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.target.key()
    }

    /// Returns its record: weight, tags, owner; the defaults where only names are read.
    #[must_use]
    pub fn instance(&self) -> &Arc<Instance> {
        self.target.value().instance()
    }

    /// Returns a URL of the instance: `url("http", "/users")` is `http://10.0.0.7:80/users`. `path` begins with a slash, and may
    /// have a query; it is not escaped.
    #[must_use]
    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.endpoint())
    }

    /// Returns how long connecting may take: [`Target::connect_timeout`].
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.target.connect_timeout()
    }

    /// Returns when the attempt is dropped.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.target.deadline()
    }

    /// Returns what the balancer gave out: key, value, load.
    #[must_use]
    pub fn target(&self) -> &Target<Endpoint, Member> {
        &self.target
    }
}

impl fmt::Debug for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.target, f)
    }
}
