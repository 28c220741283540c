use std::fmt;
use std::str::FromStr;

use zk_wire::{OpCode, Request};

/// The release of Apache ZooKeeper whose behaviour a server has.
///
/// An older release does not know newer requests: it replies with -6 (UNIMPLEMENTED) and closes the connection; the session
/// stays. Four-letter words print the version. Otherwise all behave as 3.8 does, but for 3.4, whose variant lists the
/// differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// 3.4.14, as compared with Apache ZooKeeper case by case: no `create2`, container, time to live, `reconfig`, or removal of
    /// watches, nor what came after these. A multi with one of them cannot be read. There is no `/zookeeper/config`.
    V3_4,
    /// 3.5: no persistent watches, `multiRead`, `getEphemerals`, or `getAllChildrenNumber`.
    V3_5,
    /// 3.6: no `whoAmI`.
    V3_6,
    /// 3.8, which has all that this crate has.
    #[default]
    V3_8,
}

impl Version {
    /// Returns the number of the release, such as `3.8.0`.
    pub fn number(self) -> &'static str {
        match self {
            Self::V3_4 => "3.4.14",
            Self::V3_5 => "3.5.10",
            Self::V3_6 => "3.6.4",
            Self::V3_8 => "3.8.0",
        }
    }

    /// Whether a server of this version knows an op code.
    pub(crate) fn knows(self, op_code: OpCode) -> bool {
        let since = match op_code.code() {
            15..=21 => Self::V3_5,
            22 | 103..=106 => Self::V3_6,
            107 => Self::V3_8,
            _ => Self::V3_4,
        };
        self >= since
    }

    /// Returns a request as a server of this version reads it.
    pub(crate) fn read(self, request: Request) -> Request {
        let op_code = request.op_code();
        if !self.knows(op_code) {
            return Request::Unknown { op_code };
        }
        match &request {
            Request::Multi { operations } if operations.iter().any(|one| !self.knows(one.op_code())) => {
                Request::Malformed { op_code }
            }
            _ => request,
        }
    }
}

impl fmt::Display for Version {
    /// Writes the release without its last part, such as `3.8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_4 => "3.4",
            Self::V3_5 => "3.5",
            Self::V3_6 => "3.6",
            Self::V3_8 => "3.8",
        })
    }
}

/// A text that names no [`Version`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of 3.4, 3.5, 3.6 and 3.8")]
pub struct UnknownVersion(String);

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let all = [Self::V3_4, Self::V3_5, Self::V3_6, Self::V3_8];
        let named = all.into_iter().find(|version| version.to_string() == text);
        named.ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zk_wire::CreateKind;

    fn create(kind: CreateKind) -> Request {
        Request::Create { kind, path: "/a".into(), data: None, acl: None, flags: 0, ttl: 0 }
    }

    #[test]
    fn each_version_knows_its_op_codes() {
        let known = |version: Version| (0..=107).filter(|code| version.knows(OpCode::from(*code))).count();
        let all = known(Version::V3_8);
        assert_eq!(
            [Version::V3_6, Version::V3_5, Version::V3_4].map(|version| all - known(version)),
            [1, 1 + 5, 1 + 5 + 7]
        );
        assert!(Version::V3_4.knows(OpCode::CloseSession));
    }

    #[test]
    fn a_version_is_parsed_from_its_display() {
        assert_eq!("3.5".parse(), Ok(Version::V3_5));
        assert_eq!(Version::default().to_string(), "3.8");
        let error = "3.10".parse::<Version>().unwrap_err();
        assert_eq!(error.to_string(), "`3.10` is none of 3.4, 3.5, 3.6 and 3.8");
    }

    #[test]
    fn a_newer_request_is_unknown_and_a_multi_with_one_is_malformed() {
        let multi =
            || Request::Multi { operations: vec![create(CreateKind::Create), create(CreateKind::Create2)] };
        assert_eq!(Version::V3_5.read(multi()), multi());
        assert_eq!(Version::V3_4.read(multi()), Request::Malformed { op_code: 14.into() });
        assert_eq!(Version::V3_4.read(create(CreateKind::Ttl)), Request::Unknown { op_code: 21.into() });
        assert_eq!(
            Version::V3_6.read(Request::Malformed { op_code: 107.into() }),
            Request::Unknown { op_code: 107.into() }
        );
    }
}
