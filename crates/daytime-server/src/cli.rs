//! The command line.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use daytime_config::{ServerFlags, ZookeeperFlags};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::error::Error;
use crate::signals::Signals;

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
/// SIGTERM or SIGINT deregisters, serves on for a moment, finishes open connections, closes the ZooKeeper
/// session and ends. A second one ends at once.
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
RUST_LOG sets what is logged on standard error: info by default; registry=debug,info for more.

Exit codes: 0 stopped when asked to; 1 a port cannot be listened on, ZooKeeper refused the authentication at the
start, or stopped by a second signal; 2 wrong usage or configuration.

Examples:
  daytime-server                               # three ports, as config/daytime.toml says
  daytime-server --port 9001                   # one port
  daytime-server --config config/ensemble.toml --advertise 10.0.0.7";

/// The program: parses the command line, runs, and tells how it went.
pub fn main() -> ExitCode {
    let cli: Cli = daytime_config::parse_command_line();
    // Standard error may be closed or full: a log line that cannot be written is not worth a panic.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_env_filter(
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("info,zookeeper_client=error")),
        )
        .init();
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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = runtime.block_on(async {
        let mut signals = Signals::install()?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut running = std::pin::pin!(crate::run(loaded.config, async {
            let _ = stopped.await;
        }));
        tokio::select! {
            biased;
            outcome = &mut running => return outcome.map(|()| ExitCode::SUCCESS),
            signal = signals.next() => info!(signal, "stopping"),
        }
        let _ = stop.send(());
        tokio::select! {
            outcome = &mut running => outcome.map(|()| ExitCode::SUCCESS),
            signal = signals.next() => {
                warn!(signal, "stopping at once");
                Ok(ExitCode::FAILURE)
            }
        }
    });
    // What is left is cut off: nothing may hold up the end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| failed(&error))
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
