//! TLS for test servers: certificates of servers and clients, the certificates that they trust, and an authority that
//! issues them.
//!
//! `Authority` needs the feature `tls`; certificates from elsewhere do without.
//!
#![cfg_attr(feature = "tls", doc = "```no_run")]
#![cfg_attr(not(feature = "tls"), doc = "```ignore")]
//! use zk_testing::Server;
//! use zk_testing::tls::{Authority, ClientAuth};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Authority::new()?;
//! let identity = authority.issue_server(&["localhost", "127.0.0.1"])?;
//! let server =
//!     Server::builder().tls(&identity, authority.certificate_pem(), ClientAuth::Need).start().await?;
//! let client = authority.issue_client("ann")?;
//! println!("{:?} wants {}", server.secure_addr(), client.certificate_pem());
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "tls")]
mod authority;

#[cfg(feature = "tls")]
pub use authority::{Authority, IssueError};

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A certificate with its private key, both as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    /// Takes a certificate, or a chain that begins with it, and its key in PKCS#8, both as PEM.
    ///
    /// ZooKeeper reads RSA, DSA and elliptic curve keys without a pass phrase.
    pub fn from_pem(certificate: impl Into<String>, key: impl Into<String>) -> Self {
        Self { certificate: certificate.into(), key: key.into() }
    }

    /// Returns the certificate, as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Returns the private key, in PKCS#8 as PEM.
    pub fn key_pem(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Whether a server wants to see a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// The server asks for no certificate.
    None,
    /// The server asks for a certificate, and serves clients without one, too.
    Want,
    /// The server refuses clients without a certificate that it trusts; ZooKeeper's own default.
    Need,
}

impl ClientAuth {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Want => "want",
            Self::Need => "need",
        }
    }
}

/// What a server with TLS keeps in its folder.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) identity: Identity,
    pub(crate) trusted: String,
}

impl Stores {
    /// Both files by the names that the server's configuration gives them.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let Identity { certificate, key } = &self.identity;
        std::fs::write(Self::key_store(folder), format!("{certificate}\n{key}"))?;
        std::fs::write(Self::trust_store(folder), &self.trusted)
    }

    pub(crate) fn key_store(folder: &Path) -> PathBuf {
        folder.join("key-store.pem")
    }

    pub(crate) fn trust_store(folder: &Path) -> PathBuf {
        folder.join("trust-store.pem")
    }
}
