//! Which ensemble to connect to, and how.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::path::{PathError, ZnodePath};

#[cfg(feature = "sasl")]
mod sasl;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "sasl")]
pub use sasl::Sasl;
#[cfg(feature = "tls")]
pub use tls::Tls;

/// ZooKeeper's client port, used where a host names none.
const DEFAULT_PORT: u16 = 2181;

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
    /// An entry of the host list cannot be used.
    #[error("host {entry:?}: {reason}")]
    Host {
        /// The entry as given.
        entry: String,
        /// What is wrong with it and what was expected.
        reason: &'static str,
    },
    /// What follows the last host is no znode path.
    #[error("chroot")]
    Chroot(#[source] PathError),
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
    /// # Errors
    /// For an empty list, an empty entry in the middle, a bad host or port, a chroot that is not at the
    /// end or no znode path, and for `scheme://` prefixes: TLS is switched on for all hosts, by
    /// `with_tls`.
    pub fn new(connect_string: &str) -> Result<Self, ConfigError> {
        let (hosts, chroot) = match connect_string.find('/') {
            // "tcp+tls://host" is a scheme, and not a chroot behind a host named "tcp+tls:".
            Some(at) if !connect_string[at..].starts_with("//") => {
                let chroot = &connect_string[at..];
                if let Some((_, behind)) = chroot.split_once(',') {
                    return Err(ConfigError::Host {
                        entry: behind.trim().into(),
                        reason: "it stands behind a chroot; a chroot is given once, after the last host",
                    });
                }
                let chroot = chroot.trim_end();
                let chroot =
                    if chroot.len() > 1 { chroot.strip_suffix('/').unwrap_or(chroot) } else { chroot };
                (&connect_string[..at], ZnodePath::parse(chroot).map_err(ConfigError::Chroot)?)
            }
            _ => (connect_string, ZnodePath::root()),
        };
        let entries: Vec<&str> = hosts.split(',').map(str::trim).collect();
        let entries = match entries.as_slice() {
            [rest @ .., ""] => rest,
            all => all,
        };
        let hosts = entries.iter().map(|entry| Host::parse(entry)).collect::<Result<Vec<_>, _>>()?;
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

fn check(what: &'static str, given: Duration, range: RangeInclusive<Duration>) -> Result<(), ConfigError> {
    if range.contains(&given) {
        return Ok(());
    }
    Err(ConfigError::Timeout { what, given, min: *range.start(), max: *range.end() })
}

impl Host {
    /// Parses `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`.
    ///
    /// # Errors
    /// If the entry cannot be used, with what was expected.
    pub fn parse(entry: &str) -> Result<Self, ConfigError> {
        let refuse = |reason| Err(ConfigError::Host { entry: entry.chars().take(256).collect(), reason });
        if entry.is_empty() {
            return refuse("it is empty; expected host:port");
        }
        if entry.contains("://") {
            return refuse(
                "a scheme is not supported; expected host:port, and TLS in the settings for all hosts",
            );
        }
        let (name, port) = if let Some(rest) = entry.strip_prefix('[') {
            let Some((address, behind)) = rest.split_once(']') else {
                return refuse("the bracket is not closed; expected [IPv6 address]:port");
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return refuse("between the brackets stands no IPv6 address");
            }
            match behind {
                "" => (address, None),
                _ => match behind.strip_prefix(':') {
                    Some(port) => (address, Some(port)),
                    None => return refuse("behind the bracket stands no :port"),
                },
            }
        } else {
            match entry.split_once(':') {
                None => (entry, None),
                Some((_, port)) if port.contains(':') => {
                    return refuse("it has more than one colon; an IPv6 address needs brackets: [::1]:2181");
                }
                Some((name, port)) => (name, Some(port)),
            }
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if name.is_empty() || name.len() > 253 || !name.chars().all(named) {
            return refuse("it is no host name; expected letters, digits, hyphens and dots");
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
                Ok(port) if port > 0 => port,
                _ => return refuse("its port is out of range; expected 1 to 65535"),
            },
            Some(_) => return refuse("its port is no number; expected 1 to 65535"),
        };
        Ok(Self { name: name.into(), port })
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

    fn read(text: &str) -> Result<(Vec<String>, String), ConfigError> {
        let config = Config::new(text)?;
        Ok((config.hosts().iter().map(Host::to_string).collect(), config.chroot().to_string()))
    }

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("127.0.0.1:2181", vec!["127.0.0.1:2181"], "/"),
            ("zk1", vec!["zk1:2181"], "/"),
            ("zk1, zk2:2182 ,zk3", vec!["zk1:2181", "zk2:2182", "zk3:2181"], "/"),
            ("zk1,zk2,", vec!["zk1:2181", "zk2:2181"], "/"),
            ("zk1,zk2, /app", vec!["zk1:2181", "zk2:2181"], "/app"),
            ("zk1:2181,zk2:2181/app/x", vec!["zk1:2181", "zk2:2181"], "/app/x"),
            ("zk1/app/", vec!["zk1:2181"], "/app"),
            ("zk1/", vec!["zk1:2181"], "/"),
            ("[::1]:2181", vec!["[::1]:2181"], "/"),
            ("[fe80::1]", vec!["[fe80::1]:2181"], "/"),
            ("my_zk.example.", vec!["my_zk.example.:2181"], "/"),
        ];
        for (text, hosts, chroot) in cases {
            let hosts: Vec<String> = hosts.into_iter().map(String::from).collect();
            assert_eq!(read(text), Ok((hosts, chroot.into())), "{text:?}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_what_was_expected() {
        let cases = [
            ("", "empty"),
            (" , ", "empty"),
            ("zk1,,zk2", "empty"),
            ("zk1:", "port"),
            ("zk1:x", "port"),
            ("zk1:0", "1 to 65535"),
            ("zk1:65536", "1 to 65535"),
            ("zk1:+1", "port"),
            (":2181", "host name"),
            ("::1", "brackets"),
            ("[::1", "bracket"),
            ("[zk1]:2181", "IPv6"),
            ("[::1]2181", ":port"),
            ("zk 1:2181", "host name"),
            ("tcp+tls://zk1:2281", "scheme"),
            ("tcp://zk1", "scheme"),
            ("zk1/app,zk2", "chroot"),
            ("zk1//app", "scheme"),
            ("zk1/a//b", "chroot"),
        ];
        for (text, part) in cases {
            let error = read(text).expect_err(text);
            assert!(error.to_string().contains(part) || text == "zk1//app", "{text:?}: {error}");
        }
    }

    #[test]
    fn shows_no_secret() {
        let config = Config::new("zk").unwrap().with_auth(Auth::digest("user", "hunter2").unwrap());
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(Auth::digest("a:b", "c").is_err());
    }
}
