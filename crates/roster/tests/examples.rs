//! Every example runs as a program of its own, and does what it says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use tokio::time::Instant;

/// Each takes a second or two.
const LONG: Duration = Duration::from_secs(60);

/// Whether cargo has built them all.
const ALL: bool = cfg!(all(
    feature = "axum",
    feature = "hyper",
    feature = "reqwest",
    feature = "signals",
    feature = "tonic",
    feature = "tower"
));

/// An example that runs. Ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_example_ends_by_itself_and_prints_the_line_that_it_promises() {
    let sources = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let running: Vec<_> = sources.map(|source| source.unwrap().path()).filter_map(start).collect();
    assert!(!ALL || running.len() >= 2);
    for (name, line, running) in running {
        assert_eq!(last_line(&name, running), line, "{name}");
    }
}

/// Starts an example, if it is built. Returns its name, and its last line as it promises it.
fn start(source: PathBuf) -> Option<(String, String, Running)> {
    let text = fs::read_to_string(&source).unwrap();
    let name = source.file_stem().unwrap().to_str().unwrap().to_owned();
    let promise = text.split_once("//! Its last line is `").and_then(|(_, rest)| rest.split_once('`'));
    let line = promise.unwrap_or_else(|| panic!("{name} promises no last line")).0.to_owned();
    // Beside the folder of this program.
    let program = std::env::current_exe().unwrap();
    let program = program.ancestors().nth(2).unwrap().join("examples").join(&name);
    if !ALL && !program.exists() {
        eprintln!("SKIPPED {name}: it is not built with these features");
        return None;
    }
    let child = Command::new(&program).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let hint = "cargo builds the examples with `cargo test`, but not with `cargo test --test`";
    Some((
        name,
        line,
        Running(child.unwrap_or_else(|error| panic!("{}: {error}; {hint}", program.display()))),
    ))
}

fn last_line(name: &str, mut running: Running) -> String {
    let begun = Instant::now();
    let status = loop {
        match running.0.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(begun.elapsed() < LONG, "{name} does not end"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    let printed = std::io::read_to_string(running.0.stdout.take().unwrap()).unwrap();
    assert!(status.success(), "{name}: {status}\n{printed}");
    printed.lines().last().unwrap_or_default().to_owned()
}
