//! What a test may need beyond a developer's machine at work: much of it, or its root account.

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

/// Whether a test can have root and network namespaces, which not every place where tests run grants.
/// Otherwise it says on standard error what is skipped, and why.
pub fn root(why: &str) -> Option<()> {
    let missing = if !Uid::effective().is_root() {
        "not root"
    } else if !namespaces() {
        "no network namespaces (unshare --net fails)"
    } else {
        return Some(());
    };
    skipped(missing, why);
    None
}

/// Says on standard error that a test is skipped, for what reason, and what it would show. The test harness
/// does not swallow it, as it does what `eprintln!` prints.
pub fn skipped(reason: &str, why: &str) {
    // Where nobody listens, nobody is told.
    let _ = writeln!(io::stderr(), "SKIPPED ({reason}): {why}");
}

fn namespaces() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    unshare.status().is_ok_and(|status| status.success())
}
