use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zk_testing::SOON;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zk-embedded"));
    command.args(arguments).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn serving() -> (Child, String) {
    serving_with(&[]).await
}

async fn serving_with(more: &[&str]) -> (Child, String) {
    let arguments = [&["--listen", "127.0.0.1:0"], more].concat();
    let mut child = program(&arguments).spawn().expect("it is built");
    let stdout = child.stdout.take().expect("it is piped");
    let line = timeout(SOON, BufReader::new(stdout).lines().next_line()).await.expect("it starts");
    (child, line.expect("it can be read").expect("a line"))
}

#[tokio::test]
async fn the_program_prints_its_address_and_stops_on_signals() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (child, connect_string) = serving().await;
        let addr = connect_string.parse().expect("an address and nothing else");
        assert_eq!(zk_testing::four_letter_word(addr, "ruok").await.expect("it serves"), "imok");
        let pid = Pid::from_raw(child.id().expect("it runs").cast_signed());
        kill(pid, signal).expect("it runs");
        let output = timeout(SOON, child.wait_with_output()).await.expect("it stops").expect("its output");
        assert_eq!(output.status.code(), Some(0));
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("keeps everything in memory and forgets it"), "{stderr}");
    }
}

#[tokio::test]
async fn the_program_behaves_as_the_requested_release() {
    let (_child, connect_string) = serving_with(&["--release", "3.4"]).await;
    let addr = connect_string.parse().expect("an address and nothing else");
    let answer = zk_testing::four_letter_word(addr, "srvr").await.expect("it serves");
    assert!(answer.starts_with("Zookeeper version: 3.4."), "{answer}");
    let output = program(&["--release", "4"]).output().await.expect("it is built");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.contains("none of 3.4, 3.5, 3.6 and 3.8"), "{stderr}");
}

#[tokio::test]
async fn an_address_that_is_not_loopback_is_wrong_usage() {
    let output = program(&["--listen", "0.0.0.0:0"]).output().await.expect("it is built");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.contains("0.0.0.0 is not a loopback address"), "{stderr}");
}

#[tokio::test]
async fn a_port_in_use_is_a_failure() {
    let (_child, connect_string) = serving().await;
    let output = program(&["--listen", &connect_string]).output().await.expect("it is built");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.contains(&connect_string), "{stderr}");
}

#[tokio::test]
async fn help_lists_the_flags_and_their_defaults() {
    let output = program(&["--help"]).output().await.expect("it is built");
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).expect("text");
    for words in ["--listen", "127.0.0.1:2181", "--tick", "2s", "--release", "forgotten", "Exit codes"] {
        assert!(help.contains(words), "{words} is not in {help}");
    }
}
