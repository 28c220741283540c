//! The configuration of a link: hosts, chroot, timeouts, authentication and TLS.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::path::ZnodePath;

mod connect_string;
mod error;
mod host;
#[cfg(feature = "serde")]
mod record;
#[cfg(feature = "sasl")]
mod sasl;
#[cfg(feature = "tls")]
mod tls;

pub use error::ZkConfigError;
pub use host::ZkHost;
#[cfg(feature = "sasl")]
pub use sasl::Sasl;
#[cfg(feature = "tls")]
pub use tls::Tls;

/// Below a second the time for one handshake with a busy ensemble would be too short, and each attempt could leave a
/// session behind until it expires.
const SESSION_TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

const OPERATION_TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// The ensemble to connect to, and how. Checked: every value of this type is usable. Parses from a connect string, as
/// [`new`](Self::new) does.
///
/// With the feature `serde` it is read and written as
/// `{"hosts":["zk1:2181"],"chroot":"/apps","session_timeout":"10s","operation_timeout":null,"server_version":"detect"}`: all but
/// the hosts may be missing, and an unknown key is an error. Secrets are neither read nor written: authentications, SASL and
/// TLS are set in code.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "record::Record", into = "record::Record")
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZkConfig {
    hosts: Vec<ZkHost>,
    chroot: ZnodePath,
    session_timeout: Duration,
    operation_timeout: Option<Duration>,
    server_version: ServerVersion,
    auth: Vec<Auth>,
    #[cfg(feature = "sasl")]
    sasl: Option<Sasl>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// Which requests the link assumes that the servers know.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServerVersion {
    /// Those of ZooKeeper 3.6, unless a server refuses them: detected with each new session.
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "detect"))]
    Detect,
    /// Those of ZooKeeper 3.4.
    #[cfg_attr(feature = "serde", serde(rename = "before-3.6"))]
    Before3_6,
}

/// An authentication that is sent on every connection. Never shows its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    pub(crate) scheme: &'static str,
    pub(crate) secret: Vec<u8>,
}

impl ZkConfig {
    /// The session timeout that a link requests unless [`with_session_timeout`](Self::with_session_timeout) sets
    /// another one: 10 s.
    pub const DEFAULT_SESSION_TIMEOUT: Duration = Duration::from_secs(10);

    /// Reads a connect string: `host:port,host:port/chroot`.
    ///
    /// Hosts are names, IPv4 addresses or IPv6 addresses in brackets (`[::1]:2181`); the default port is 2181. Spaces
    /// around hosts and one trailing comma are allowed. A chroot after the last host becomes the root of every path; it
    /// is created with the first registration below it.
    ///
    /// A chroot that looks like a mistake is refused, because everything would work, but where no other client is: a
    /// name that ends in a colon and digits (`10.0.0.7/:2181`, `zk1:2181/zk2:2181`), and nothing but the digits of a
    /// port after a host without one (`zk1/2181`; `zk1:2181/2181` is accepted). [`from_hosts`](Self::from_hosts)
    /// accepts any chroot.
    ///
    /// # Errors
    /// * an empty list, or an empty entry in the middle;
    /// * a bad host or port;
    /// * a chroot that is not at the end, is no znode path or looks like a mistake;
    /// * an `@`, which would come with a password;
    /// * a `scheme://` prefix: `with_tls` enables TLS for all hosts.
    ///
    /// No error repeats text that may be a password.
    pub fn new(connect_string: &str) -> Result<Self, ZkConfigError> {
        let (hosts, chroot) = connect_string::parse(connect_string)?;
        Self::from_hosts(hosts, chroot)
    }

    /// Uses a parsed host list and chroot.
    ///
    /// # Errors
    /// If there are no hosts.
    pub fn from_hosts(hosts: Vec<ZkHost>, chroot: ZnodePath) -> Result<Self, ZkConfigError> {
        if hosts.is_empty() {
            return Err(ZkConfigError::NoHosts);
        }
        Ok(Self {
            hosts,
            chroot,
            session_timeout: Self::DEFAULT_SESSION_TIMEOUT,
            operation_timeout: None,
            server_version: ServerVersion::Detect,
            auth: Vec::new(),
            #[cfg(feature = "sasl")]
            sasl: None,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// Requests another session timeout than 10 s.
    ///
    /// The ensemble clamps it to 2 to 20 of its ticks: [`Session::timeout`](crate::Session) is the negotiated one.
    ///
    /// # Errors
    /// Outside 1 s to 1 h.
    pub fn with_session_timeout(mut self, timeout: Duration) -> Result<Self, ZkConfigError> {
        check("a session timeout", timeout, SESSION_TIMEOUTS)?;
        self.session_timeout = timeout;
        Ok(self)
    }

    /// Sets how long an operation waits for its reply; by default three quarters of the negotiated session timeout.
    ///
    /// # Errors
    /// Outside 100 ms to 1 h.
    pub fn with_operation_timeout(mut self, timeout: Duration) -> Result<Self, ZkConfigError> {
        check("an operation timeout", timeout, OPERATION_TIMEOUTS)?;
        self.operation_timeout = Some(timeout);
        Ok(self)
    }

    /// Adds an authentication, which every connection sends.
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth.push(auth);
        self
    }

    /// Authenticates each connection by SASL before any other request.
    #[cfg(feature = "sasl")]
    pub fn with_sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// Encrypts every connection.
    ///
    /// A process has one cryptography provider of rustls. [`Zk::start`](crate::Zk::start) installs that of aws-lc if
    /// there is none. A program that wants another one, or calls `CryptoProvider::install_default` and expects that to
    /// succeed, does so before `Zk::start`, and the link uses its provider.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets which requests the servers know, instead of detecting it.
    pub fn with_server_version(mut self, version: ServerVersion) -> Self {
        self.server_version = version;
        self
    }

    /// The host list.
    pub fn hosts(&self) -> &[ZkHost] {
        &self.hosts
    }

    /// The root of every path; `/` if none is configured.
    pub fn chroot(&self) -> &ZnodePath {
        &self.chroot
    }

    /// Hosts and chroot as one text, in their configured order.
    pub fn connect_string(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(ZkHost::to_string).collect();
        let chroot = if self.chroot.is_root() { "" } else { self.chroot.as_str() };
        format!("{}{chroot}", hosts.join(","))
    }

    /// The session timeout that the link requests.
    pub fn session_timeout(&self) -> Duration {
        self.session_timeout
    }

    pub(crate) fn operation_timeout(&self) -> Option<Duration> {
        self.operation_timeout
    }

    pub(crate) fn server_version(&self) -> ServerVersion {
        self.server_version
    }

    pub(crate) fn auth(&self) -> &[Auth] {
        &self.auth
    }

    #[cfg(feature = "sasl")]
    pub(crate) fn sasl(&self) -> Option<&Sasl> {
        self.sasl.as_ref()
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }
}

impl FromStr for ZkConfig {
    type Err = ZkConfigError;

    fn from_str(connect_string: &str) -> Result<Self, ZkConfigError> {
        Self::new(connect_string)
    }
}

impl TryFrom<&str> for ZkConfig {
    type Error = ZkConfigError;

    fn try_from(connect_string: &str) -> Result<Self, ZkConfigError> {
        Self::new(connect_string)
    }
}

impl TryFrom<String> for ZkConfig {
    type Error = ZkConfigError;

    fn try_from(connect_string: String) -> Result<Self, ZkConfigError> {
        Self::new(&connect_string)
    }
}

fn check(what: &'static str, value: Duration, range: RangeInclusive<Duration>) -> Result<(), ZkConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ZkConfigError::Timeout { what, value, min: *range.start(), max: *range.end() })
}

impl Auth {
    /// ZooKeeper's digest authentication. The server accepts any user and password: only an ACL checks them.
    ///
    /// # Errors
    /// If the user is empty or contains a colon.
    pub fn digest(user: &str, password: &str) -> Result<Self, ZkConfigError> {
        match user {
            "" => Err(ZkConfigError::Auth("the user is empty")),
            _ if user.contains(':') => Err(ZkConfigError::Auth("the user contains a colon")),
            _ => Ok(Self { scheme: "digest", secret: format!("{user}:{password}").into_bytes() }),
        }
    }
}

// The secret is a password.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        let config = ZkConfig::new("zk").unwrap().with_auth(Auth::digest("user", "hunter2").unwrap());
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(Auth::digest("a:b", "c").is_err());
    }
}
