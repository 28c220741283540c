//! TLS: the trusted authorities, and our certificate.

use std::fmt;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use zookeeper_client as zk;

use super::error::ZkConfigError;

/// How connections are encrypted: the trusted certificate authorities, and, for servers that ask for one, our
/// certificate. Checked: every value of this type is usable. Never shows its key.
///
/// The authorities of the system are not trusted: the certificates of an ensemble rarely come from them. The
/// certificate of a server must be for its host name in the host list.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    authorities: String,
    identity: Option<Identity>,
}

/// In PEM.
#[derive(Clone, PartialEq, Eq)]
struct Identity {
    certificate: String,
    key: String,
}

const AUTHORITY: &str = "certificate authority";
const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

impl Tls {
    /// Trusts the certificate authorities of a PEM text.
    ///
    /// # Errors
    /// If the text is no PEM, or contains no certificate that can be trusted.
    pub fn from_pem(authorities: &str) -> Result<Self, ZkConfigError> {
        Self { authorities: authorities.into(), identity: None }.checked()
    }

    /// Adds our certificate (with the chain to its authority) and its private key, in PEM. A server that asks for
    /// certificates then identifies us by the scheme `x509`.
    ///
    /// # Errors
    /// If one of them is no PEM, or the key does not belong to the certificate.
    pub fn with_identity(mut self, certificate: &str, key: &str) -> Result<Self, ZkConfigError> {
        self.identity = Some(Identity { certificate: certificate.into(), key: key.into() });
        self.checked()
    }

    /// Finds unusable certificates and keys here, and not at the first connection.
    fn checked(self) -> Result<Self, ZkConfigError> {
        self.rustls_config()?;
        self.crate_options()?;
        Ok(self)
    }

    /// The options of the client crate.
    pub(crate) fn crate_options(&self) -> Result<zk::TlsOptions, ZkConfigError> {
        let options = zk::TlsOptions::new();
        let options = options.with_pem_ca(&self.authorities).map_err(|error| refused(AUTHORITY, &error))?;
        match &self.identity {
            None => Ok(options),
            Some(Identity { certificate, key }) => {
                options.with_pem_identity(certificate, key).map_err(|error| refused(CERTIFICATE, &error))
            }
        }
    }

    /// The configuration of rustls.
    pub(crate) fn rustls_config(&self) -> Result<ClientConfig, ZkConfigError> {
        let mut trusted = RootCertStore::empty();
        for certificate in certificates(&self.authorities, AUTHORITY)? {
            trusted.add(certificate).map_err(|error| refused(AUTHORITY, &error))?;
        }
        // The provider of the process, if it has one: the client crate uses it, too.
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| aws_lc_rs::default_provider().into());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused("protocol", &error))?
            .with_root_certificates(trusted);
        let Some(Identity { certificate, key }) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(certificate, CERTIFICATE)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unread(KEY, &error))?;
        builder.with_client_auth_cert(chain, key).map_err(|error| refused(KEY, &error))
    }
}

fn certificates(pem: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, ZkConfigError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unread(what, &pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(error) => Err(unread(what, &error)),
    }
}

/// Does not show the text: it may be a key.
fn unread(what: &'static str, error: &pem::Error) -> ZkConfigError {
    let reason = match error {
        pem::Error::NoItemsFound => "there is none in the text; expected PEM",
        pem::Error::MissingSectionEnd { .. } => "a section of the PEM does not end",
        pem::Error::IllegalSectionStart { .. } => "a section of the PEM begins in an unknown way",
        _ => "the text is no PEM",
    };
    ZkConfigError::Tls { what, reason: reason.into() }
}

fn refused(what: &'static str, error: &dyn fmt::Display) -> ZkConfigError {
    ZkConfigError::Tls { what, reason: error.to_string() }
}

// It contains a key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("identity", &self.identity.is_some()).finish_non_exhaustive()
    }
}
