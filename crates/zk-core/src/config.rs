//! Which ensemble to connect to, and how.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::path::{PathError, ZnodePath};

mod connect_string;
#[cfg(feature = "sasl")]
mod sasl;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "sasl")]
pub use sasl::Sasl;
#[cfg(feature = "tls")]
pub use tls::Tls;

/// Below a second the time for one handshake with a busy ensemble would be too short, and each attempt
/// could leave a session behind that only expiry ends.
const SESSION_TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

const OPERATION_TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// Which ensemble to connect to, and how. Checked: whatever exists is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    hosts: Vec<Host>,
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

/// Which requests the servers are taken to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServerVersion {
    /// Those of 3.6 and later, unless they say otherwise: found out with each new session.
    #[default]
    Detect,
    /// No more than those of 3.4.
    Before3_6,
}

/// One entry of the host list: a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    name: String,
    port: u16,
}

/// An authentication that is sent on every connection. Never shows its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    pub(crate) scheme: &'static str,
    pub(crate) secret: Vec<u8>,
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The host list names no host.
    #[error("the host list is empty; expected host:port, separated by commas")]
    NoHosts,
    /// An entry of the host list cannot be used. Of what was given only the name is shown, and only where one
    /// stands before a colon: the rest may be a password in the wrong place.
    #[error("host {number}{}: {reason}", named(.name))]
    Host {
        /// Which entry, from 1.
        number: usize,
        /// What stands before the colon, if that could be a name; else empty.
        name: String,
        /// What is wrong with it and what was expected.
        reason: &'static str,
    },
    /// The host list holds an `@`, and what stands before that may be a password.
    #[error(
        "an '@' stands in it, which is therefore not repeated here; expected nothing but hosts: a user and a \
         password are told by an authentication of their own"
    )]
    AtSign,
    /// What follows the last host is no znode path.
    #[error("chroot")]
    Chroot(#[source] PathError),
    /// What follows the last host is a znode path, but looks like something else.
    #[error("chroot {chroot:?}: {reason}")]
    OddChroot {
        /// The chroot.
        chroot: ZnodePath,
        /// What it looks like, and what was expected.
        reason: &'static str,
    },
    /// A timeout is out of range.
    #[error("{what} of {given:?} is out of range; expected {min:?} to {max:?}")]
    Timeout {
        /// Which timeout.
        what: &'static str,
        /// The value given.
        given: Duration,
        /// The smallest that is allowed.
        min: Duration,
        /// The largest that is allowed.
        max: Duration,
    },
    /// A user name or a password cannot be used.
    #[error("authentication: {0}")]
    Auth(&'static str),
    /// A certificate or a key cannot be used.
    #[error("TLS: {what}: {reason}")]
    Tls {
        /// Which of them.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// The session timeout asked for unless [`with_session_timeout`](Self::with_session_timeout) says
    /// otherwise: 10 s.
    pub const DEFAULT_SESSION_TIMEOUT: Duration = Duration::from_secs(10);

    /// Reads a connect string: `host:port,host:port/chroot`.
    ///
    /// Hosts are names, IPv4 addresses or IPv6 addresses in brackets (`[::1]:2181`); the port may be
    /// left out (2181). Spaces around hosts and one trailing comma do no harm. A chroot after the last
    /// host becomes the root of every path; it is created with the first registration below it.
    ///
    /// A chroot that looks like a slip is refused, as everything would work, in a place where nobody else is:
    /// a name that ends in a colon and digits (`10.0.0.7/:2181`, `zk1:2181/zk2:2181`), and nothing but the digits
    /// of a port behind a host without one (`zk1/2181`; `zk1:2181/2181` is taken). [`from_hosts`](Self::from_hosts)
    /// takes any.
    ///
    /// # Errors
    /// For an empty list, an empty entry in the middle, a bad host or port, a chroot that is not at the
    /// end, no znode path or not one as it is usually written, for an `@`, which would come with a password, and for `scheme://` prefixes: TLS
    /// is switched on for all hosts, by `with_tls`. No error repeats what may be a password.
    pub fn new(connect_string: &str) -> Result<Self, ConfigError> {
        let (hosts, chroot) = connect_string::parse(connect_string)?;
        Self::from_hosts(hosts, chroot)
    }

    /// Takes a host list and a chroot that are parsed already.
    ///
    /// # Errors
    /// If there are no hosts.
    pub fn from_hosts(hosts: Vec<Host>, chroot: ZnodePath) -> Result<Self, ConfigError> {
        if hosts.is_empty() {
            return Err(ConfigError::NoHosts);
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

    /// Asks for another session timeout than 10 s.
    ///
    /// The ensemble clamps it to 2 to 20 of its ticks: [`Session::timeout`](crate::Session) is what counts.
    ///
    /// # Errors
    /// Outside 1 s to 1 h.
    pub fn with_session_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        check("a session timeout", timeout, SESSION_TIMEOUTS)?;
        self.session_timeout = timeout;
        Ok(self)
    }

    /// Sets how long a verb waits for its answer; three quarters of the negotiated session timeout by
    /// default.
    ///
    /// # Errors
    /// Outside 100 ms to 1 h.
    pub fn with_operation_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        check("an operation timeout", timeout, OPERATION_TIMEOUTS)?;
        self.operation_timeout = Some(timeout);
        Ok(self)
    }

    /// Adds an authentication.
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth.push(auth);
        self
    }

    /// Sets how we identify ourselves before anything else.
    #[cfg(feature = "sasl")]
    pub fn with_sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// Encrypts every connection.
    ///
    /// rustls has one cryptography provider for a process. [`Zk::start`](crate::Zk::start) installs aws-lc's where there
    /// is none. A program that wants another one, or calls `CryptoProvider::install_default` and expects that to
    /// succeed, does so before `Zk::start`; it is then used here, too.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Says which requests the servers know, where that is not to be found out.
    pub fn with_server_version(mut self, version: ServerVersion) -> Self {
        self.server_version = version;
        self
    }

    /// The host list.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The path below which everything happens; `/` if none was given.
    pub fn chroot(&self) -> &ZnodePath {
        &self.chroot
    }

    /// Hosts and chroot as one text, in the order given.
    pub fn connect_string(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Host::to_string).collect();
        let chroot = if self.chroot.is_root() { "" } else { self.chroot.as_str() };
        format!("{}{chroot}", hosts.join(","))
    }

    /// The session timeout that is asked for.
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

fn named(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" ({name})") }
}

fn check(what: &'static str, given: Duration, range: RangeInclusive<Duration>) -> Result<(), ConfigError> {
    if range.contains(&given) {
        return Ok(());
    }
    Err(ConfigError::Timeout { what, given, min: *range.start(), max: *range.end() })
}

impl Host {
    /// Parses `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`. Spaces around it do no harm.
    ///
    /// # Errors
    /// If the entry cannot be used, with what was expected.
    pub fn parse(entry: &str) -> Result<Self, ConfigError> {
        Ok(connect_string::host(entry, 1)?.0)
    }

    /// The name or address, without brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl Auth {
    /// ZooKeeper's digest authentication. The server accepts any user and password: they matter only
    /// where an ACL asks for them.
    ///
    /// # Errors
    /// If the user is empty or holds a colon.
    pub fn digest(user: &str, password: &str) -> Result<Self, ConfigError> {
        match user {
            "" => Err(ConfigError::Auth("the user is empty")),
            _ if user.contains(':') => Err(ConfigError::Auth("the user holds a colon")),
            _ => Ok(Self { scheme: "digest", secret: format!("{user}:{password}").into_bytes() }),
        }
    }
}

// The content is a password.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_secret() {
        let config = Config::new("zk").unwrap().with_auth(Auth::digest("user", "hunter2").unwrap());
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(Auth::digest("a:b", "c").is_err());
    }
}
