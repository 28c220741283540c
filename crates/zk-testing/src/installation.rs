use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where Debian's package `libzookeeper-java` puts the jars.
const DEBIAN: &str = "/usr/share/java";

/// What Debian's `zookeeper.jar` does not name in its manifest: a log binding, and what TLS needs.
const DEBIAN_EXTRAS: [&str; 3] = ["slf4j-simple.jar", "netty-codec.jar", "netty-resolver.jar"];

/// A Java runtime and the jars of Apache ZooKeeper, found on this machine.
#[derive(Clone, Debug)]
pub struct Installation {
    java: PathBuf,
    class_path: OsString,
}

/// Says which half of an installation was not found, and what to install.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MissingZooKeeper {
    /// There is no Java runtime.
    #[error(
        "no java found in JAVA_HOME or on PATH; on Debian or Ubuntu install the package `zookeeper`, or \
         `default-jre-headless`"
    )]
    Java,
    /// There is a Java runtime, but ZooKeeper itself is not there.
    #[error(
        "no Apache ZooKeeper found in ZOOKEEPER_HOME or as /usr/share/java/zookeeper.jar; on Debian or Ubuntu \
         install the package `zookeeper`, elsewhere unpack a release of 3.5 or newer and set ZOOKEEPER_HOME to it"
    )]
    Jars,
    /// `ZOOKEEPER_HOME` is set, but is no ZooKeeper.
    #[error("ZOOKEEPER_HOME is {}, but neither it nor its lib folder holds a zookeeper*.jar", .0.display())]
    Home(PathBuf),
    /// An older ZooKeeper was asked for, and nothing says where it is.
    #[error(
        "ZOOKEEPER_OLD_HOME is not set; it names the folder of an unpacked older ZooKeeper, such as 3.4.14"
    )]
    Old,
    /// `ZOOKEEPER_OLD_HOME` is set, but is no ZooKeeper.
    #[error("ZOOKEEPER_OLD_HOME is {}, but neither it nor its lib folder holds a zookeeper*.jar", .0.display())]
    OldHome(PathBuf),
}

impl Installation {
    /// Looks for Java and ZooKeeper.
    ///
    /// Java comes from `JAVA_HOME` if that is set and has one, else from `PATH`. ZooKeeper comes from `ZOOKEEPER_HOME`
    /// (an unpacked release) if that is set, else from where Debian's package puts it.
    ///
    /// # Errors
    /// [`MissingZooKeeper`] names what was not found. A `ZOOKEEPER_HOME` without jars is an error even if Debian's
    /// package is there.
    pub fn find() -> Result<Self, MissingZooKeeper> {
        let java = find_java().ok_or(MissingZooKeeper::Java)?;
        let class_path = match set_variable("ZOOKEEPER_HOME") {
            Some(home) => {
                let home = PathBuf::from(home);
                release_class_path(&home).ok_or(MissingZooKeeper::Home(home))?
            }
            None => debian_class_path(Path::new(DEBIAN)).ok_or(MissingZooKeeper::Jars)?,
        };
        Ok(Self { java, class_path })
    }

    /// Looks for Java and an older ZooKeeper, such as 3.4, in the folder that `ZOOKEEPER_OLD_HOME` names.
    ///
    /// # Errors
    /// [`MissingZooKeeper`] names what was not found.
    pub fn find_old() -> Result<Self, MissingZooKeeper> {
        let java = find_java().ok_or(MissingZooKeeper::Java)?;
        let home = PathBuf::from(set_variable("ZOOKEEPER_OLD_HOME").ok_or(MissingZooKeeper::Old)?);
        let class_path = release_class_path(&home).ok_or(MissingZooKeeper::OldHome(home))?;
        Ok(Self { java, class_path })
    }

    /// Returns the program that runs ZooKeeper.
    pub fn java(&self) -> &Path {
        &self.java
    }

    /// Returns what follows Java's `-cp`.
    pub fn class_path(&self) -> &OsString {
        &self.class_path
    }
}

/// Returns the ZooKeeper that tests can run here, or prints that they are skipped.
///
/// With nothing installed it returns `None` after a line `SKIPPED ...` on standard error, so that a test can leave:
///
/// ```
/// # fn a_test() {
/// let Some(_) = zk_testing::require() else { return };
/// # }
/// ```
///
/// # Panics
/// If nothing is installed and the variable `CI` is set and not empty: where everything is expected to run, a skipped
/// test is a failure.
pub fn require() -> Option<Installation> {
    match Installation::find() {
        Ok(installation) => Some(installation),
        Err(what) if set_variable("CI").is_some() => {
            panic!("tests against ZooKeeper cannot run: {what}")
        }
        Err(what) => missing(&what),
    }
}

/// Returns the older ZooKeeper that tests can run here, or prints that they are skipped.
///
/// As [`require`], but it never panics: such releases are not packaged any more, so that they are not expected everywhere.
pub fn require_old() -> Option<Installation> {
    Installation::find_old().map_or_else(|what| missing(&what), Some)
}

fn missing(what: &MissingZooKeeper) -> Option<Installation> {
    skipped(what);
    None
}

/// Prints on standard error that the present test is skipped, and why.
///
/// Not by `eprintln!`, which the test harness keeps to itself where a test passes.
pub fn skipped(why: impl Display) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // A closed standard error is no reason to fail.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {why}");
}

fn set_variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn find_java() -> Option<PathBuf> {
    let home = set_variable("JAVA_HOME").map(|home| Path::new(&home).join("bin"));
    let path = set_variable("PATH").unwrap_or_default();
    home.into_iter()
        .chain(env::split_paths(&path))
        .map(|folder| folder.join("java"))
        .find(|java| java.is_file())
}

fn debian_class_path(folder: &Path) -> Option<OsString> {
    let zookeeper = folder.join("zookeeper.jar");
    if !zookeeper.is_file() {
        return None;
    }
    let extras = DEBIAN_EXTRAS.map(|name| folder.join(name)).into_iter().filter(|jar| jar.is_file());
    env::join_paths(std::iter::once(zookeeper).chain(extras)).ok()
}

fn release_class_path(home: &Path) -> Option<OsString> {
    let folders = [home.join("lib"), home.to_owned()];
    if !folders.iter().any(|folder| holds_zookeeper(folder)) {
        return None;
    }
    // Java itself expands a trailing `*` to all jars of the folder.
    env::join_paths(folders.map(|folder| folder.join("*"))).ok()
}

fn holds_zookeeper(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("zookeeper") && name.ends_with(".jar")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_recognised_by_its_jar() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(release_class_path(home.path()), None);
        std::fs::create_dir(home.path().join("lib")).unwrap();
        std::fs::write(home.path().join("lib/zookeeper-3.8.4.jar"), "").unwrap();
        let class_path = release_class_path(home.path()).unwrap().into_string().unwrap();
        assert!(class_path.contains("/lib/*:"), "{class_path}");
    }

    #[test]
    fn debian_extras_are_taken_only_where_present() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(debian_class_path(folder.path()), None);
        std::fs::write(folder.path().join("zookeeper.jar"), "").unwrap();
        std::fs::write(folder.path().join("slf4j-simple.jar"), "").unwrap();
        let class_path = debian_class_path(folder.path()).unwrap().into_string().unwrap();
        assert!(class_path.ends_with("/slf4j-simple.jar"), "{class_path}");
        assert!(!class_path.contains("netty"), "{class_path}");
    }
}
