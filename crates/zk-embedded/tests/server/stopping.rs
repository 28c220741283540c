//! How the program stops, and what it logs until then.

use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zk_testing::SOON;

/// Starts the program by a shell that prepares something, and waits until it serves.
async fn serving(prepare: &str, rust_log: &str) -> Child {
    let mut child = Command::new("env")
        .args(["--default-signal", "sh", "-c", &format!("{prepare} exec \"$@\""), "sh"])
        .args([env!("CARGO_BIN_EXE_zk-embedded"), "--listen", "127.0.0.1:0"])
        .env("RUST_LOG", rust_log)
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is an env");
    let stdout = child.stdout.take().expect("it is piped");
    let line = timeout(SOON, BufReader::new(stdout).lines().next_line()).await.expect("it starts");
    line.expect("it can be read").expect("a line");
    child
}

fn send(child: &Child, signal: Signal) {
    let pid = child.id().expect("it runs").try_into().expect("a process id");
    kill(Pid::from_raw(pid), signal).expect("it runs");
}

async fn ended(mut child: Child) -> (ExitStatus, String) {
    let status = timeout(SOON, child.wait()).await.expect("it stops").expect("its status");
    let mut log = String::new();
    let mut stderr = child.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut log).await.expect("text");
    (status, log)
}

#[tokio::test]
async fn every_signal_that_asks_to_stop_ends_the_program_with_code_0() {
    use Signal::{SIGALRM, SIGHUP, SIGINT, SIGPWR, SIGQUIT, SIGTERM, SIGXCPU};
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU, SIGPWR] {
        let child = serving("", "").await;
        send(&child, signal);
        let (status, log) = ended(child).await;
        assert_eq!(status.code(), Some(0), "{signal}: {log}");
    }
}

#[tokio::test]
async fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let mut child = serving("trap '' HUP INT QUIT;", "info").await;
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        send(&child, signal);
    }
    let stderr = child.stderr.take().expect("it is piped");
    let mut lines = BufReader::new(stderr).lines();
    // What was heard with the first has been acted upon when the second is heard.
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
        send(&child, signal);
        loop {
            let line = timeout(SOON, lines.next_line()).await.expect("a line in time").expect("text");
            if line.expect("it runs on").contains(signal.as_str()) {
                break;
            }
        }
    }
    send(&child, Signal::SIGTERM);
    let status = timeout(SOON, child.wait()).await.expect("it stops").expect("its status");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn an_invalid_log_filter_is_logged() {
    for (filter, logged) in [("", false), ("  ", false), ("zk_embedded=verbose,info", true)] {
        let child = serving("", filter).await;
        send(&child, Signal::SIGTERM);
        let (_, log) = ended(child).await;
        let lines: Vec<_> = log.lines().filter(|line| line.contains("RUST_LOG")).collect();
        assert_eq!(lines.len(), usize::from(logged), "{filter:?}: {log}");
        assert!(lines.iter().all(|line| line.contains("zk_embedded=verbose")), "{log}");
    }
}
