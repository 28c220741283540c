//! What a test may need beyond a developer's machine at work: much of it, its root account, or one more program.
//!
//! A test asks for exactly what it will use, by using it: what is there in a smaller form is of no help to it.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use nix::unistd::Uid;

/// Whether a test may take much of the machine: only with the environment variable `FAULTS=all`, which
/// `scripts/test --all` sets. Otherwise it says on standard error what is skipped, and why.
pub fn heavy(why: &str) -> Option<()> {
    if std::env::var("FAULTS").as_deref() == Ok("all") {
        return Some(());
    }
    skipped("run scripts/test --all", why);
    None
}

/// Whether a test has the rights of root. Otherwise it says on standard error what is skipped, and why.
pub fn root(why: &str) -> Option<()> {
    if Uid::effective().is_root() {
        return Some(());
    }
    skipped("not root", why);
    None
}

/// Whether there is a program, as `scripts/test` would install it with a package of Debian's. Otherwise it says on
/// standard error what is skipped, and why.
///
/// # Panics
/// If it is not there and `CI` is set: where everything is expected to run, a skipped test is a failure.
pub fn program(name: &str, package: &str, why: &str) -> Option<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(name).is_file()) {
        return Some(());
    }
    let missing = format!("no program {name}; Debian's package is {package}");
    assert!(std::env::var_os("CI").is_none(), "CI is set, and there is {missing}: {why}");
    skipped(&missing, why);
    None
}

/// Begins a command in network, mount and process namespaces of its own, whose processes end with it.
///
/// What follows is the program and its arguments.
pub fn unshared() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    unshare
}

/// Whether a test can have what [`unshared`] gives, and change it: join networks, and show another file in the
/// place of one. Not every place where tests run grants that, to root either. Otherwise it says on standard error what is
/// skipped, and why.
pub fn namespaces(why: &str) -> Option<()> {
    root(why)?;
    program("ip", "iproute2", why)?;
    match probe(unshared()) {
        Ok(()) => Some(()),
        Err(reason) => {
            skipped(&format!("no namespaces: {reason}"), why);
            None
        }
    }
}

/// Does in namespaces what the tests do there. It begins with a look whether these are another mount namespace than
/// ours, which is told to it: what is mounted must not be mounted on this machine.
const CHANGES: &str = r#"set -e
here=$(readlink /proc/self/ns/mnt)
[ -n "$here" ] && [ "$here" != "$1" ] || { echo "no mount namespace of its own" >&2; exit 1; }
ip link set lo up
ip link add here type veth peer name there
ip link set here up
ip neigh replace 10.9.0.77 lladdr 02:00:00:00:00:99 dev here nud permanent
nsenter --net=/proc/self/ns/net true
mount --bind /etc/hosts /etc/hosts"#;

fn probe(mut namespaces: Command) -> Result<(), String> {
    let ours =
        std::fs::read_link("/proc/self/ns/mnt").map_err(|error| format!("/proc/self/ns/mnt: {error}"))?;
    namespaces.args(["sh", "-c", CHANGES, "sh"]).arg(ours).stdin(Stdio::null());
    let output = namespaces.output().map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "))
}

/// Says on standard error that a test is skipped, for what reason, and what it would show. The test harness
/// does not swallow it, as it does what `eprintln!` prints.
pub fn skipped(reason: &str, why: &str) {
    // Where nobody listens, nobody is told.
    let _ = writeln!(io::stderr(), "SKIPPED ({reason}): {why}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    /// As in a container, or in a root that is no mount point, where a network namespace is all that is granted.
    #[test]
    fn namespaces_granted_only_in_part_are_refused() {
        let Some(_) = namespaces("a probe that is told what is missing") else { return };
        let part = || {
            let mut unshare = Command::new("unshare");
            unshare.args(["--net", "--"]);
            unshare
        };
        assert!(part().arg("true").status().unwrap().success(), "in part they are");
        assert_eq!(probe(part()), Err("no mount namespace of its own".into()));
    }

    #[test]
    fn a_refusal_of_namespaces_is_reported_in_one_line() {
        let mut refused = Command::new("sh");
        refused.args(["-c", "echo no >&2; echo way >&2; exit 1"]);
        assert_eq!(probe(refused), Err("no; way".into()));
    }
}
