//! One server of an ensemble, as configured.

use std::fmt;
use std::str::FromStr;

use super::error::ZkConfigError;

/// One entry of the host list: a name or an address, and a port.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ZkHost {
    pub(super) name: String,
    pub(super) port: u16,
}

impl ZkHost {
    /// The name or address, without brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for ZkHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// As [`ZkHost::parse`].
impl FromStr for ZkHost {
    type Err = ZkConfigError;

    fn from_str(entry: &str) -> Result<Self, ZkConfigError> {
        Self::parse(entry)
    }
}

impl TryFrom<&str> for ZkHost {
    type Error = ZkConfigError;

    fn try_from(entry: &str) -> Result<Self, ZkConfigError> {
        Self::parse(entry)
    }
}

impl TryFrom<String> for ZkHost {
    type Error = ZkConfigError;

    fn try_from(entry: String) -> Result<Self, ZkConfigError> {
        Self::parse(&entry)
    }
}

impl From<ZkHost> for String {
    fn from(host: ZkHost) -> Self {
        host.to_string()
    }
}
