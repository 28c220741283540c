//! Which server the tests run on: what the environment asks for, and what is installed.

use std::env;
use std::io::{self, Write};
use std::sync::{Once, OnceLock};

use zk_embedded::Version;
use zk_testing::{Installation, MissingZooKeeper};

/// The server that every test gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Apache ZooKeeper as installed.
    Apache,
    /// An older Apache ZooKeeper, 3.4, where `ZOOKEEPER_OLD_HOME` says.
    Old,
    /// The embedded one, as this version.
    Embedded(Version),
    /// The embedded one, as today's version: the environment asks for no server, and Apache ZooKeeper is not installed.
    EmbeddedInstead(&'static MissingZooKeeper),
}

/// The server, and what it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) server: Choice,
    /// The server knows recursive watches, and refuses them.
    pub(crate) refuses_recursive_watches: bool,
}

impl Wanted {
    /// Reads `ZK_TEST_SERVER`, `ZK_TEST_VERSION` and `ZK_TEST_WATCHES`.
    pub(crate) fn of_environment() -> Self {
        let wanted = Self::read(Choice::of_environment(), &variable("ZK_TEST_WATCHES"));
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
    /// Reads `ZK_TEST_SERVER` and `ZK_TEST_VERSION`. Without a server in them, what is installed decides.
    pub(crate) fn of_environment() -> Self {
        let (server, version) = (variable("ZK_TEST_SERVER"), variable("ZK_TEST_VERSION"));
        let choice = Self::read(&server, &version, missing(), !variable("CI").is_empty());
        let choice = choice.unwrap_or_else(|problem| panic!("{problem}"));
        if let Self::EmbeddedInstead(what) = choice {
            say_once(what);
        }
        choice
    }

    fn read(
        server: &str,
        version: &str,
        missing: Option<&'static MissingZooKeeper>,
        is_ci: bool,
    ) -> Result<Self, String> {
        match (server, version) {
            ("embedded", "") => Ok(Self::Embedded(Version::default())),
            ("embedded", version) => {
                let version = version.parse().map_err(|error| format!("ZK_TEST_VERSION: {error}"))?;
                Ok(Self::Embedded(version))
            }
            // Where everything is expected to be installed, Apache ZooKeeper is demanded.
            ("", "") if !is_ci => Ok(missing.map_or(Self::Apache, Self::EmbeddedInstead)),
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
            Self::EmbeddedInstead(_) => Version::default(),
        }
    }

    /// Why a test that only Apache ZooKeeper can serve does not run; `None` with Apache ZooKeeper.
    pub(crate) fn why_not_apache(self) -> Option<String> {
        match self {
            Self::Apache => None,
            Self::Old => Some("ZK_TEST_SERVER=old".into()),
            Self::Embedded(_) => Some("ZK_TEST_SERVER=embedded".into()),
            Self::EmbeddedInstead(what) => Some(what.to_string()),
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// What is missing for Apache ZooKeeper on this machine. It is looked for once a process.
fn missing() -> Option<&'static MissingZooKeeper> {
    static MISSING: OnceLock<Option<MissingZooKeeper>> = OnceLock::new();
    MISSING.get_or_init(|| Installation::find().err()).as_ref()
}

/// Says on standard error, once a process, that the embedded server stands in. Not by `eprintln!`, which the test
/// harness keeps to itself where a test passes.
fn say_once(what: &MissingZooKeeper) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Without a reader there is nobody to inform.
        let _ = writeln!(
            io::stderr(),
            "tests run on the embedded server, and those that only Apache ZooKeeper can serve are skipped: {what}"
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const JARS: Option<&MissingZooKeeper> = Some(&MissingZooKeeper::Jars);

    #[test]
    fn the_variables_choose_server_and_version() {
        // Whatever is installed.
        for missing in [None, JARS] {
            let read = |server, version| Choice::read(server, version, missing, false);
            assert_eq!(read("apache", ""), Ok(Choice::Apache));
            assert_eq!(read("old", "").map(Choice::version), Ok(Version::V3_4));
            assert_eq!(read("embedded", "").map(Choice::version), Ok(Version::V3_8));
            assert_eq!(read("embedded", "3.4"), Ok(Choice::Embedded(Version::V3_4)));
        }
    }

    #[test]
    fn without_the_variables_apache_is_used_where_it_is_installed_and_the_embedded_server_elsewhere() {
        assert_eq!(Choice::read("", "", None, false), Ok(Choice::Apache));
        let instead = Choice::read("", "", JARS, false).expect("a server");
        assert_eq!(instead, Choice::EmbeddedInstead(&MissingZooKeeper::Jars));
        assert_eq!(instead.version(), Version::V3_8);
        assert_eq!(instead.why_not_apache(), Some(MissingZooKeeper::Jars.to_string()));
    }

    #[test]
    fn with_ci_set_nothing_takes_the_place_of_apache() {
        for server in ["", "apache"] {
            assert_eq!(Choice::read(server, "", JARS, true), Ok(Choice::Apache));
        }
    }

    #[test]
    fn any_server_but_apache_is_a_reason_to_skip_what_only_apache_serves() {
        assert_eq!(Choice::Apache.why_not_apache(), None);
        assert_eq!(Choice::Old.why_not_apache().as_deref(), Some("ZK_TEST_SERVER=old"));
        let embedded = Choice::Embedded(Version::V3_4);
        assert_eq!(embedded.why_not_apache().as_deref(), Some("ZK_TEST_SERVER=embedded"));
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
    fn variables_that_name_no_server_are_refused_with_the_reason() {
        for (server, version, reason) in [
            ("", "3.4", "only with"),
            ("apache", "3.4", "only with"),
            ("embedded", "3", "none of 3.4"),
            ("new", "", "expected apache"),
        ] {
            let problem = Choice::read(server, version, JARS, false).expect_err("there is no such server");
            assert!(problem.contains(reason), "{problem}");
        }
    }
}
