//! Row 48 of the fault matrix: a random walk through the others, with the programs as processes on an ensemble. The oracle,
//! which shares no code with them, judges what they have recorded.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use parking_lot::Mutex;
use system_tests::heavy;

/// A walk takes the whole machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The exit codes of the program.
const PASS: i32 = 0;
const FAIL: i32 = 1;
const UNKNOWN: i32 = 2;

/// Walks, and once more where nobody can tell how it went. Returns the exit code, and what was printed.
fn walk(arguments: &[&str]) -> (i32, String) {
    let _one = ONE_AT_A_TIME.lock();
    let once = || {
        let output = Command::new(env!("CARGO_BIN_EXE_real-walk")).args(arguments).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&printed).into_owned())
    };
    match once() {
        (UNKNOWN, first) => {
            let (code, second) = once();
            (code, format!("{first}\nonce more:\n{second}"))
        }
        walked => walked,
    }
}

#[test]
fn fault_48_a_random_walk_through_all_faults_keeps_every_promise() {
    let Some(()) = heavy("a random walk with real processes, for a minute and a half") else { return };
    let Some(()) = test_zookeeper::require_apache() else { return };
    let (code, printed) = walk(&["--minutes", "1.5"]);
    assert_eq!(code, PASS, "{printed}");
}

/// A walk with servers that register once. Returns the exit code, and what was printed; nothing is kept.
fn control(server: &str, faults: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().to_str().unwrap();
    walk(&["--minutes", "0.8", "--server", server, "--faults", faults, "--record", record])
}

#[test]
fn control_servers_that_register_once_are_found_to_be_missing() {
    let Some(()) = heavy("a walk with servers that register once, with an ephemeral znode") else { return };
    let Some(()) = test_zookeeper::require_apache() else { return };
    let (code, printed) = control("once-ephemeral", "expire_again");
    assert!(code == FAIL && printed.contains("I2 convergence: "), "{code}: {printed}");
}

#[test]
fn control_servers_that_register_once_for_ever_are_found_to_be_ghosts() {
    let Some(()) = heavy("a walk with servers that register once, with a persistent znode") else { return };
    let Some(()) = test_zookeeper::require_apache() else { return };
    let (code, printed) = control("once-persistent", "kill_for_long");
    assert!(code == FAIL && printed.contains("I4 no ghost: "), "{code}: {printed}");
}
