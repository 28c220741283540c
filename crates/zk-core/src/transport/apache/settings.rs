//! The configuration of a link, as the options of the client crate.

use std::time::Duration;

use zookeeper_client as zk;

use super::capabilities::Capabilities;
use super::dial::Dialled;
use crate::config::{Auth, ServerVersion, ZkConfig};

/// The options that all connections of one configuration share.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) session_timeout: Duration,
    pub(super) version: ServerVersion,
    auth: Vec<Auth>,
    #[cfg(feature = "sasl")]
    sasl: Option<crate::config::Sasl>,
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Client>,
}

impl Settings {
    pub(super) fn of(config: &ZkConfig) -> Self {
        Self {
            session_timeout: config.session_timeout(),
            version: config.server_version(),
            auth: config.auth().to_vec(),
            #[cfg(feature = "sasl")]
            sasl: config.sasl().cloned(),
            #[cfg(feature = "tls")]
            tls: config.tls().map(super::tls::Client::new),
        }
    }

    pub(super) fn connector(
        &self,
        session: Option<&zk::SessionInfo>,
        capabilities: &Capabilities,
    ) -> zk::Connector {
        // Fail eagerly: one attempt for the one address, and no loop that could spin (D3).
        let mut connector =
            zk::Client::connector().with_session_timeout(self.session_timeout).with_fail_eagerly();
        for auth in &self.auth {
            connector = connector.with_auth(auth.scheme, &auth.secret);
        }
        #[cfg(feature = "sasl")]
        if let Some(sasl) = &self.sasl {
            connector = connector.with_sasl(sasl.options());
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            connector = connector.with_tls(tls.options());
        }
        if let Some(session) = session {
            connector = connector.with_session(session.clone());
        }
        if capabilities.modern() { connector } else { connector.with_server_version(3, 4, 0) }
    }

    /// The connect string for the crate.
    pub(super) fn connect_string(&self, server: &Dialled) -> String {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            // By name, because the certificate of the server must be for it. If the name has several addresses the
            // crate may connect to another one than we have dialled.
            return format!("tcp+tls://{}", server.host);
        }
        server.address.to_string()
    }

    /// Why a connection to this server cannot succeed, if that is known beforehand.
    pub(super) fn unusable(&self, server: &Dialled) -> Option<String> {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return super::tls::Client::unusable(server);
        }
        let _ = server;
        None
    }

    /// The schemes of the identities that a server must record for us.
    pub(super) fn schemes(&self) -> Vec<&'static str> {
        let mut schemes: Vec<_> = self.auth.iter().map(|auth| auth.scheme).collect();
        #[cfg(feature = "sasl")]
        if self.sasl.is_some() {
            schemes.push("sasl");
        }
        schemes.dedup();
        schemes
    }

    /// Whether to detect the capabilities of the servers.
    pub(super) fn detect(&self) -> bool {
        self.version == ServerVersion::Detect
    }

    /// Why the crate could not connect, if we can find out: the crate does not say.
    pub(super) async fn diagnose(&self, server: &Dialled) -> Option<String> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.diagnose(server).await;
        }
        let _ = server;
        None
    }
}
