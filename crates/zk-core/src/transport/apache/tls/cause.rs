//! Why a handshake failed, in words of our own.
//!
//! Servers word their refusals as they like: without a certificate of ours one Java answers "handshake failure" and
//! the next one "bad certificate". What is certain is what we saw ourselves: whether the server asked for a
//! certificate, and whether we had one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, SignatureScheme};

/// Hands out our certificate as the one inside does, and notes that it was asked for.
#[derive(Debug)]
pub(super) struct RecordingResolver {
    certificates: Arc<dyn ResolvesClientCert>,
    asked: AtomicBool,
}

impl RecordingResolver {
    pub(super) fn new(certificates: Arc<dyn ResolvesClientCert>) -> Self {
        Self { certificates, asked: AtomicBool::new(false) }
    }

    /// What has been noted so far.
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

/// Whether the server asked for a certificate of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    No,
    /// And we have none.
    WithoutOne,
    /// And has got it.
    Shown,
}

/// What is wrong, where a handshake with a server of this name ended in this way.
pub(super) fn cause(error: &io::Error, asked: Asked, name: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (inner, asked) {
        (Some(rustls::Error::InvalidCertificate(wrong)), _) => format!("TLS: {}", of_theirs(wrong, name)),
        (Some(rustls::Error::InvalidMessage(_)), _) => {
            format!("TLS: what it answers is no TLS; is this the port for it? ({error})")
        }
        // It has told us, or just hung up, after it had asked.
        (Some(rustls::Error::AlertReceived(_)) | None, Asked::WithoutOne) => {
            format!("TLS: it asks for a client certificate, and there is none of ours ({error})")
        }
        (Some(rustls::Error::AlertReceived(_)) | None, Asked::Shown) => {
            format!("TLS: it does not take our client certificate ({error})")
        }
        (None, Asked::No) => format!("TLS: it hung up in the handshake; does this port speak TLS? ({error})"),
        (Some(_), _) => format!("TLS: {error}"),
    }
}

/// What is wrong with the server's certificate.
fn of_theirs(wrong: &CertificateError, name: &str) -> String {
    match wrong {
        // The latter where an authority that we trust has the same name, and another key.
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
    fn whatever_alert_a_server_sends_its_demand_for_a_certificate_is_the_cause() {
        for alert in [
            AlertDescription::HandshakeFailure,
            AlertDescription::BadCertificate,
            AlertDescription::CertificateRequired,
            AlertDescription::AccessDenied,
        ] {
            let error = io::Error::other(rustls::Error::AlertReceived(alert));
            let none = cause(&error, Asked::WithoutOne, "zk");
            assert!(none.contains("asks for a client certificate, and there is none"), "{none}");
            let strange = cause(&error, Asked::Shown, "zk");
            assert!(strange.contains("does not take our client certificate"), "{strange}");
        }
        let hung_up = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert!(cause(&hung_up, Asked::WithoutOne, "zk").contains("client certificate"));
        assert!(!cause(&hung_up, Asked::No, "zk").contains("certificate"));
    }
}
