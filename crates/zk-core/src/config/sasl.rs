//! SASL: who we are, and how we prove it.

use std::fmt;

use zookeeper_client as zk;

use super::ConfigError;

/// An identity that the server checks before it serves us: SASL, by the mechanism DIGEST-MD5. Never shows
/// its secret.
///
/// A server without SASL would let us in as nobody, without a word. That is noticed, and is
/// [`ConnectError::NotAuthenticated`](crate::ConnectError): from ZooKeeper 3.7 on, where a server can be
/// asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    user: String,
    password: String,
}

impl Sasl {
    /// Identifies us by a user name and a password that the server knows.
    ///
    /// # Errors
    /// If the user or the password is empty.
    pub fn digest_md5(user: &str, password: &str) -> Result<Self, ConfigError> {
        if user.is_empty() {
            return Err(ConfigError::Auth("the user is empty"));
        }
        if password.is_empty() {
            return Err(ConfigError::Auth("the password is empty"));
        }
        Ok(Self { user: user.into(), password: password.into() })
    }

    pub(crate) fn options(&self) -> zk::SaslOptions {
        zk::SaslOptions::digest_md5(self.user.clone(), self.password.clone()).into()
    }
}

// It holds a password.
impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl").field("user", &self.user).finish_non_exhaustive()
    }
}
