//! TLS: the options of the client crate, and the cause of a failed handshake, which the crate does not report.

use std::io::ErrorKind::UnexpectedEof;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zookeeper_client as zk;

use super::dial::Dialled;
use crate::config::Tls;

mod cause;

use cause::{Asked, RecordingResolver, cause};

/// How long the diagnostic handshake may take.
const LIMIT: Duration = Duration::from_secs(2);
/// How long to wait for an alert.
const ALERT: Duration = Duration::from_millis(500);

/// The client side of TLS.
#[derive(Debug)]
pub(super) struct Client {
    tls: Tls,
    options: zk::TlsOptions,
}

impl Client {
    pub(super) fn new(tls: &Tls) -> Self {
        let options = tls.crate_options().expect("`Tls` is checked when it is created");
        // The crate uses the provider of the process. If there is none rustls installs one at the first connection, and
        // panics if two are compiled in. So we install one here; an error means that the program has installed its own,
        // which stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { tls: tls.clone(), options }
    }

    /// The options of the crate.
    pub(super) fn options(&self) -> zk::TlsOptions {
        self.options.clone()
    }

    /// Why no certificate can contain the name of this server, if so. The crate would panic.
    pub(super) fn unusable(server: &Dialled) -> Option<String> {
        let name = server.host.name();
        let error = ServerName::try_from(name).err()?;
        Some(format!("TLS: {name:?} cannot be the name in a certificate: {error}"))
    }

    /// Makes a handshake and returns the cause of its failure; `None` if it succeeds.
    pub(super) async fn diagnose(&self, server: &Dialled) -> Option<String> {
        let Ok(name) = ServerName::try_from(server.host.name().to_owned()) else {
            return Self::unusable(server);
        };
        let mut config = match self.tls.rustls_config() {
            Ok(config) => config,
            Err(error) => return Some(error.to_string()),
        };
        let resolver = Arc::new(RecordingResolver::new(config.client_auth_cert_resolver));
        config.client_auth_cert_resolver = resolver.clone();
        let handshake = async {
            let stream = TcpStream::connect(server.address).await?;
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            // In TLS 1.3 a server checks our certificate after our side of the handshake is done: its alert is then
            // the first thing that we can read. Without an alert the server waits for us.
            match timeout(ALERT, stream.read(&mut [0])).await {
                Ok(Err(error)) => Err(error),
                // Some servers close the connection without an alert.
                Ok(Ok(0)) if resolver.asked() == Asked::WithoutOne => Err(UnexpectedEof.into()),
                Ok(Ok(_)) | Err(_) => Ok(()),
            }
        };
        match timeout(LIMIT, handshake).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(cause(&error, resolver.asked(), server.host.name())),
            Err(_) => Some(format!("TLS: no reply within {LIMIT:?}; is this the TLS port?")),
        }
    }
}
