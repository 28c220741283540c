//! What a test may need beyond a plain machine: much of its processor and memory, root, namespaces, one more program.
//!
//! A check uses exactly what the test will use: a part of it is of no help to the test. Where something is missing, a line
//! `SKIPPED ...` on standard error says what, and what the test would show.

use std::process::{Command, Stdio};

use nix::unistd::Uid;

/// Whether a test may take much of the machine: only with the environment variable `FAULTS=all`, which
/// `scripts/test --all` sets.
pub fn heavy(why: &str) -> Option<()> {
    if std::env::var("FAULTS").as_deref() == Ok("all") {
        return Some(());
    }
    skipped("run scripts/test --all", why);
    None
}

/// Whether a test has the rights of root.
pub fn root(why: &str) -> Option<()> {
    if Uid::effective().is_root() {
        return Some(());
    }
    skipped("not root", why);
    None
}

/// Whether a program is on the path. `scripts/test` installs it with a package of Debian's.
///
/// # Panics
/// If it is missing and `CI` is set: where everything is expected to run, a skipped test is a failure.
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

/// Begins a command in network, mount and process namespaces of its own, whose processes end with it. The caller adds
/// the program and its arguments.
pub fn unshared() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    unshare
}

/// Whether a test can have the namespaces of [`unshared`] and change them: join networks, and mount one file over
/// another. Not every machine grants that, even to root.
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

/// Does in namespaces what the tests do there. Its argument is the caller's mount namespace: it ends if it runs in that
/// one, as a mount must not be seen on this machine.
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

/// Says on standard error that a test is skipped, for what reason, and what it would show.
pub fn skipped(reason: &str, why: &str) {
    zk_testing::skipped(format_args!("{why} ({reason})"));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    /// As in a container, or in a root that is no mount point, where only a network namespace is granted.
    #[test]
    fn namespaces_granted_only_in_part_are_refused() {
        let Some(_) = namespaces("a probe names the namespace that is missing") else { return };
        let part = || {
            let mut unshare = Command::new("unshare");
            unshare.args(["--net", "--"]);
            unshare
        };
        assert!(part().arg("true").status().unwrap().success(), "a network namespace is granted");
        assert_eq!(probe(part()), Err("no mount namespace of its own".into()));
    }

    #[test]
    fn a_refusal_of_namespaces_is_reported_in_one_line() {
        let mut refused = Command::new("sh");
        refused.args(["-c", "echo no >&2; echo way >&2; exit 1"]);
        assert_eq!(probe(refused), Err("no; way".into()));
    }
}
