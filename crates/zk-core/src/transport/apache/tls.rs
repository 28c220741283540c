//! TLS: what the crate is given, and why a handshake fails, which it does not tell.

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

/// How long a handshake that is made to find out may take.
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
        let options = tls.crate_options().expect("it was checked when it was made");
        // The crate takes the provider of the process. Where there is none rustls makes one, as late as at the first
        // connection, and panics where two are compiled in. So that is settled here; an error means that the program
        // has chosen one already, which is left alone.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { tls: tls.clone(), options }
    }

    /// For the crate.
    pub(super) fn options(&self) -> zk::TlsOptions {
        self.options.clone()
    }

    /// Why a certificate cannot hold the name of a server, if that is so. The crate would panic.
    pub(super) fn unusable(server: &Dialled) -> Option<String> {
        let name = server.host.name();
        let error = ServerName::try_from(name).err()?;
        Some(format!("TLS: {name:?} cannot be the name in a certificate: {error}"))
    }

    /// Makes a handshake of our own and returns what is wrong with it; `None` if nothing is.
    pub(super) async fn why_not(&self, server: &Dialled) -> Option<String> {
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
            // In TLS 1.3 a server looks at our certificate when we are done already: its alert is the
            // first that we can read. Without one it waits for us.
            match timeout(ALERT, stream.read(&mut [0])).await {
                Ok(Err(error)) => Err(error),
                // Some hang up without one.
                Ok(Ok(0)) if resolver.asked() == Asked::WithoutOne => Err(UnexpectedEof.into()),
                Ok(Ok(_)) | Err(_) => Ok(()),
            }
        };
        match timeout(LIMIT, handshake).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(cause(&error, resolver.asked(), server.host.name())),
            Err(_) => Some(format!("TLS: no answer within {LIMIT:?}; does the port speak TLS?")),
        }
    }
}
