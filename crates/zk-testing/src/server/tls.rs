use super::{ServerBuilder, StartError};
use crate::ports::Lease;
use crate::tls::{ClientAuth, Identity, Stores};

impl ServerBuilder {
    /// Makes the server listen with TLS on a port of its own, beside the plain one; see
    /// [`Server::secure_addr`](super::Server::secure_addr).
    ///
    /// The server shows this identity, and trusts clients whose certificate one of `trusted_pem` has signed. Needs a server
    /// of 3.8 or newer, which reads PEM.
    #[must_use]
    pub fn tls(mut self, identity: &Identity, trusted_pem: &str, client_auth: ClientAuth) -> Self {
        self.tls = Some(Stores { identity: identity.clone(), trusted: trusted_pem.to_owned() });
        self.config("ssl.clientAuth", client_auth.word())
            .config("serverCnxnFactory", "org.apache.zookeeper.server.NettyServerCnxnFactory")
            .config("ssl.keyStore.type", "PEM")
            .config("ssl.trustStore.type", "PEM")
    }

    /// The second port, where there is one.
    pub(super) fn lease_secure_port(&self) -> Result<Option<Lease>, StartError> {
        let lease = self.tls.as_ref().map(|_| Lease::any()).transpose();
        lease.map_err(StartError::io("find a free port"))
    }
}
