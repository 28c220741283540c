//! How a connection is opened, in the crate's words.

use std::time::Duration;

use zookeeper_client as zk;

use super::abilities::Abilities;
use super::dial::Dialled;
use crate::config::{Auth, Config, ServerVersion};

/// What every connection of one configuration has in common.
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
    pub(super) fn of(config: &Config) -> Self {
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
        abilities: &Abilities,
    ) -> zk::Connector {
        // Fail eagerly: one sweep over the one address, and no loop that could spin (D3).
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
        if abilities.modern() { connector } else { connector.with_server_version(3, 4, 0) }
    }

    /// Where the crate connects to.
    pub(super) fn connect_string(&self, server: &Dialled) -> String {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            // By name, which is what the server's certificate is checked for. A name with several
            // addresses may lead the crate to another one than we have dialled.
            return format!("tcp+tls://{}", server.host);
        }
        server.address.to_string()
    }

    /// Why a server cannot be connected to, where that is known beforehand.
    pub(super) fn unusable(&self, server: &Dialled) -> Option<String> {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return super::tls::Client::unusable(server);
        }
        let _ = server;
        None
    }

    /// The schemes by which a server must know us, once connected.
    pub(super) fn schemes(&self) -> Vec<&'static str> {
        let mut schemes: Vec<_> = self.auth.iter().map(|auth| auth.scheme).collect();
        #[cfg(feature = "sasl")]
        if self.sasl.is_some() {
            schemes.push("sasl");
        }
        schemes.dedup();
        schemes
    }

    /// Whether we are to find out what the servers understand.
    pub(super) fn detect(&self) -> bool {
        self.version == ServerVersion::Detect
    }

    /// Why the crate could not connect, where it does not say and we can find out.
    pub(super) async fn why_not(&self, server: &Dialled) -> Option<String> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.why_not(server).await;
        }
        let _ = server;
        None
    }
}
