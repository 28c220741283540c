//! Which server the tests run on, as the environment says.

use std::env;

use zk_embedded::Version;

/// The server that every test gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Apache ZooKeeper as installed.
    Apache,
    /// An older Apache ZooKeeper, 3.4, where `ZOOKEEPER_OLD_HOME` says.
    Old,
    /// The embedded one, as this version.
    Embedded(Version),
}

/// What the environment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) server: Choice,
    /// The server knows recursive watches, and refuses them.
    pub(crate) refuses_recursive_watches: bool,
}

impl Wanted {
    /// Reads `ZK_TEST_SERVER`, `ZK_TEST_VERSION` and `ZK_TEST_WATCHES`.
    pub(crate) fn of_environment() -> Self {
        let variable = |name| env::var(name).unwrap_or_default();
        let server = Choice::of_environment();
        let wanted = Self::read(server, &variable("ZK_TEST_WATCHES"));
        wanted.unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn read(server: Choice, watches: &str) -> Result<Self, String> {
        match watches {
            "" => Ok(Self { server, refuses_recursive_watches: false }),
            "one-shot" => Ok(Self { server, refuses_recursive_watches: true }),
            other => Err(format!("ZK_TEST_WATCHES={other}: expected one-shot, or nothing")),
        }
    }

    pub(crate) fn has_recursive_watches(self) -> bool {
        self.server.version() != Version::V3_4 && !self.refuses_recursive_watches
    }
}

impl Choice {
    /// Reads `ZK_TEST_SERVER` and `ZK_TEST_VERSION`.
    pub(crate) fn of_environment() -> Self {
        let variable = |name| env::var(name).unwrap_or_default();
        let choice = Self::read(&variable("ZK_TEST_SERVER"), &variable("ZK_TEST_VERSION"));
        choice.unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn read(server: &str, version: &str) -> Result<Self, String> {
        match (server, version) {
            ("embedded", "") => Ok(Self::Embedded(Version::default())),
            ("embedded", version) => {
                let version = version.parse().map_err(|error| format!("ZK_TEST_VERSION: {error}"))?;
                Ok(Self::Embedded(version))
            }
            ("" | "apache", "") => Ok(Self::Apache),
            ("old", "") => Ok(Self::Old),
            ("" | "apache" | "old", version) => {
                Err(format!("ZK_TEST_VERSION={version}: only with ZK_TEST_SERVER=embedded"))
            }
            (other, _) => Err(format!("ZK_TEST_SERVER={other}: expected apache, old or embedded")),
        }
    }

    /// The version of that server.
    pub(crate) fn version(self) -> Version {
        match self {
            Self::Apache => Version::V3_8,
            Self::Old => Version::V3_4,
            Self::Embedded(version) => version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_choose_server_and_version() {
        assert_eq!(Choice::read("", ""), Ok(Choice::Apache));
        assert_eq!(Choice::read("old", "").map(Choice::version), Ok(Version::V3_4));
        assert_eq!(Choice::read("embedded", "").map(Choice::version), Ok(Version::V3_8));
        assert_eq!(Choice::read("embedded", "3.4"), Ok(Choice::Embedded(Version::V3_4)));
    }

    #[test]
    fn recursive_watches_are_there_unless_the_server_is_old_or_refuses_them() {
        let has = |server, watches| Wanted::read(server, watches).map(Wanted::has_recursive_watches);
        assert_eq!(has(Choice::Apache, ""), Ok(true));
        assert_eq!(has(Choice::Apache, "one-shot"), Ok(false));
        assert_eq!(has(Choice::Old, ""), Ok(false));
        assert!(has(Choice::Apache, "optimized").is_err());
    }

    #[test]
    fn what_cannot_be_had_is_refused_with_the_reason() {
        for (server, version, told) in
            [("apache", "3.4", "only with"), ("embedded", "3", "none of 3.4"), ("new", "", "expected apache")]
        {
            let problem = Choice::read(server, version).expect_err("it cannot be had");
            assert!(problem.contains(told), "{problem}");
        }
    }
}
