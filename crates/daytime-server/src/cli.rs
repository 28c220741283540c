//! The command line.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use daytime_config::{ServerFlags, ZookeeperFlags};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{info, warn};
use zk_program::{Signal, Signals};

use crate::error::Error;

/// Answers with the time (RFC 867) on every configured port, and keeps each port registered in ZooKeeper.
///
/// Every port listens and accepts before any is registered; if one cannot be listened on, none is
/// registered. ZooKeeper may start later, restart, or be away for any time: the server goes on answering,
/// and is registered again as soon as it can be.
///
/// When file descriptors run out it stops accepting until some are free, and keeps a few for its connection to
/// ZooKeeper. When a listening socket dies it deregisters everything and ends with exit code 1. Standard output
/// is not used; a log that cannot be written is lost, and nothing else.
///
/// SIGTERM, SIGINT, SIGHUP, SIGQUIT and what else asks a program to stop deregisters, serves on for a moment,
/// finishes open connections, closes the ZooKeeper session and ends. What comes within a second of the first is
/// the same stop; a later one ends within half a second, with as much of that as can be done by then. A signal
/// that was ignored at the start (SIGHUP under nohup) stays ignored; SIGUSR1 and SIGUSR2 do nothing.
#[derive(Debug, Parser)]
#[command(name = "daytime-server", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    zookeeper: ZookeeperFlags,
    #[command(flatten)]
    server: ServerFlags,
}

const AFTER_HELP: &str = "\
Flags beat the environment, the environment beats the file, the file beats the defaults.
RUST_LOG sets what is logged on standard error: info by default; registry=debug,info for more. Empty is unset;
what is wrong in it is told, and the rest is used.

Exit codes: 0 stopped when asked to; 1 a port cannot be listened on, ZooKeeper refused the authentication at the
start, or a second signal, a second or more after the first, cut the end short; 2 wrong usage or configuration.

Examples:
  daytime-server                               # three ports, as config/daytime.toml says
  daytime-server --port 9001                   # one port
  daytime-server --config config/ensemble.toml --advertise 10.0.0.7";

/// The program: parses the command line, runs, and tells how it went.
pub fn main() -> ExitCode {
    let cli: Cli = daytime_config::parse_command_line();
    zk_program::log::init("info,zookeeper_client=error");
    let loaded = match daytime_config::load_server(&cli.zookeeper, &cli.server) {
        Ok(loaded) => loaded,
        Err(problems) => {
            let _ = writeln!(std::io::stderr(), "{problems}");
            return ExitCode::from(2);
        }
    };
    info!(source = %loaded.source, "configuration");
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let runtime = match zk_program::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = runtime.block_on(async {
        let mut signals = Signals::install(&[Signal::SIGUSR1, Signal::SIGUSR2])?;
        let (stop, stopped) = oneshot::channel();
        let (force, forced) = oneshot::channel();
        let mut running = std::pin::pin!(crate::run_until(loaded.config, told(stopped), told(forced)));
        tokio::select! {
            biased;
            outcome = &mut running => return outcome.map(|()| ExitCode::SUCCESS),
            signal = signals.stop() => info!(%signal, "stopping"),
        }
        let first = Instant::now();
        let _ = stop.send(());
        tokio::select! {
            biased;
            outcome = &mut running => return outcome.map(|()| ExitCode::SUCCESS),
            signal = signals.stop_again(first) => warn!(%signal, "stopping at once"),
        }
        let _ = force.send(());
        running.await.map(|()| ExitCode::FAILURE)
    });
    // What is left is cut off: nothing may hold up the end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| failed(&error))
}

/// Resolves when it is told; never, if it cannot be told any more.
async fn told(word: oneshot::Receiver<()>) {
    if word.await.is_err() {
        std::future::pending().await
    }
}

fn failed(error: &Error) -> ExitCode {
    let mut causes = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    // Not a log line: it has to be seen whatever is logged.
    let _ = writeln!(std::io::stderr(), "daytime-server: {error}{causes}");
    ExitCode::FAILURE
}
