//! SASL: our identity, and how we prove it.

use std::fmt;

use zookeeper_client as zk;

use super::error::ZkConfigError;

/// A SASL identity, by the mechanism DIGEST-MD5, which the server checks before it serves us. Never shows its secret.
///
/// A server without SASL silently serves us unauthenticated. From ZooKeeper 3.7 on the link detects that, and fails
/// with [`ConnectError::NotAuthenticated`](crate::ConnectError).
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    user: String,
    password: String,
}

impl Sasl {
    /// A user name and a password that the server knows.
    ///
    /// # Errors
    /// If the user or the password is empty.
    pub fn digest_md5(user: &str, password: &str) -> Result<Self, ZkConfigError> {
        if user.is_empty() {
            return Err(ZkConfigError::Auth("the user is empty"));
        }
        if password.is_empty() {
            return Err(ZkConfigError::Auth("the password is empty"));
        }
        Ok(Self { user: user.into(), password: password.into() })
    }

    pub(crate) fn options(&self) -> zk::SaslOptions {
        zk::SaslOptions::digest_md5(self.user.clone(), self.password.clone()).into()
    }
}

// It contains a password.
impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl").field("user", &self.user).finish_non_exhaustive()
    }
}
