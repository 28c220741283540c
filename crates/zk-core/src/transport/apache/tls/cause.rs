//! The cause of a failed handshake.
//!
//! The alerts of servers differ: if we have no certificate, one Java sends "handshake failure" and another one
//! "bad certificate". Certain is only what we observe: whether the server asked for a certificate, and whether we had
//! one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, SignatureScheme};

/// Returns our certificate as the wrapped resolver does, and records that the server asked for it.
#[derive(Debug)]
pub(super) struct RecordingResolver {
    certificates: Arc<dyn ResolvesClientCert>,
    asked: AtomicBool,
}

impl RecordingResolver {
    pub(super) fn new(certificates: Arc<dyn ResolvesClientCert>) -> Self {
        Self { certificates, asked: AtomicBool::new(false) }
    }

    /// What the server has asked for so far.
    pub(super) fn asked(&self) -> Asked {
        match (self.asked.load(Ordering::Relaxed), self.certificates.has_certs()) {
            (false, _) => Asked::No,
            (true, false) => Asked::WithoutOne,
            (true, true) => Asked::Shown,
        }
    }
}

impl ResolvesClientCert for RecordingResolver {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.certificates.resolve(issuers, schemes)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.certificates.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.certificates.has_certs()
    }
}

/// Whether the server asked for our certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    No,
    /// Yes, and we have none.
    WithoutOne,
    /// Yes, and we sent it.
    Shown,
}

/// The cause of a handshake with the server `name` that failed with `error`.
pub(super) fn cause(error: &io::Error, asked: Asked, name: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (inner, asked) {
        (Some(rustls::Error::InvalidCertificate(wrong)), _) => {
            format!("TLS: {}", of_certificate(wrong, name))
        }
        (Some(rustls::Error::InvalidMessage(_)), _) => {
            format!("TLS: its reply is no TLS; is this the TLS port? ({error})")
        }
        // With an alert or without one, but after the server had asked.
        (Some(rustls::Error::AlertReceived(_)) | None, Asked::WithoutOne) => {
            format!("TLS: it requires a client certificate, and none is configured ({error})")
        }
        (Some(rustls::Error::AlertReceived(_)) | None, Asked::Shown) => {
            format!("TLS: it does not accept our client certificate ({error})")
        }
        (None, Asked::No) => {
            format!("TLS: it closed the connection in the handshake; is this the TLS port? ({error})")
        }
        (Some(_), _) => format!("TLS: {error}"),
    }
}

/// Why we refuse the certificate of a server.
fn of_certificate(wrong: &CertificateError, name: &str) -> String {
    match wrong {
        // The latter if an authority that we trust has the same name but another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is from no authority that we trust".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is not for {name:?}, the name in the host list")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".into()
        }
        other => format!("its certificate cannot be used: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use rustls::AlertDescription;

    use super::*;

    #[test]
    fn a_missing_client_certificate_is_the_cause_whatever_alert_the_server_sends() {
        for alert in [
            AlertDescription::HandshakeFailure,
            AlertDescription::BadCertificate,
            AlertDescription::CertificateRequired,
            AlertDescription::AccessDenied,
        ] {
            let error = io::Error::other(rustls::Error::AlertReceived(alert));
            let none = cause(&error, Asked::WithoutOne, "zk");
            assert!(none.contains("requires a client certificate, and none is configured"), "{none}");
            let strange = cause(&error, Asked::Shown, "zk");
            assert!(strange.contains("does not accept our client certificate"), "{strange}");
        }
        let hung_up = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert!(cause(&hung_up, Asked::WithoutOne, "zk").contains("client certificate"));
        assert!(!cause(&hung_up, Asked::No, "zk").contains("certificate"));
    }
}
