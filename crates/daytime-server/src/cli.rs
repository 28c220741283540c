//! The command line, the signals and the exit code of the program.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use daytime_config::{Problems, ServerFlags, ZookeeperFlags, error_chain};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{info, warn};
use zk_program::{Signal, Signals};

use crate::error::Error;

/// Answers with the time (RFC 867) on every configured port, and keeps each port registered in ZooKeeper.
///
/// The server listens on all of its ports before it registers any; if it cannot listen on one of them, it registers none.
/// ZooKeeper may start later, restart, or be away for any time: the server goes on answering, and registers again as soon
/// as it can.
///
/// When file descriptors run out, the server stops accepting until some are free; it keeps 16 back for its link to
/// ZooKeeper. When a listening socket dies, it deregisters everything and exits with 1.
#[derive(Debug, Parser)]
#[command(name = "daytime-server", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    zookeeper: ZookeeperFlags,
    #[command(flatten)]
    server: ServerFlags,
}

const AFTER_HELP: &str = "\
Configuration:
  A flag beats the environment, the environment beats the file, the file beats the default.

Log:
  The log goes to standard error. RUST_LOG filters it: info by default; registry=debug,info logs more. An empty \
  RUST_LOG counts as unset; invalid directives are reported, and the others are used. A log line that cannot be written \
  is lost, and nothing else. Standard output is not used.

Signals:
  SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU and SIGPWR stop the server: it writes into its records that it is \
  draining, leaves readers a moment to see that (500ms at most in all), deregisters, serves on for a moment \
  (server.settle, 300ms by default), finishes open connections (server.grace, 2s by default), closes the ZooKeeper \
  session and exits.
  Signals within 1s of the first belong to the same stop. A later one ends the server within 500ms, with as much of \
  the above as that time allows.
  A signal that was ignored at the start, such as SIGHUP under nohup, stays ignored. SIGUSR1 and SIGUSR2 do nothing.

Exit codes:
  0  The server was stopped by a signal.
  1  The server cannot listen on a port or on the metrics address, too few file descriptors are free, a listening \
  socket died, ZooKeeper refused the authentication before the first session, or a second signal cut the stop short.
  2  The command line or the configuration is wrong.

Examples:
  daytime-server                  # ports 8897, 8898 and 8899
  daytime-server --port 9001      # one port
  daytime-server --config config/ensemble.toml --advertise 10.0.0.7";

/// The program: parses the command line, runs the server, and returns the exit code.
pub fn main() -> ExitCode {
    let cli: Cli = daytime_config::parse_command_line();
    zk_program::log::init("info,zookeeper_client=error");
    let loaded = match daytime_config::load_server(&cli.zookeeper, &cli.server) {
        Ok(loaded) => loaded,
        Err(problems) => {
            let _ = writeln!(std::io::stderr(), "{problems}");
            return ExitCode::from(Problems::EXIT_CODE);
        }
    };
    info!(source = %loaded.source, "configuration loaded");
    for warning in &loaded.warnings {
        warn!("configuration warning: {warning}");
    }
    let runtime = match zk_program::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = runtime.block_on(async {
        let mut signals = Signals::install(&[Signal::SIGUSR1, Signal::SIGUSR2])?;
        let (stop, stopped) = oneshot::channel();
        let (force, forced) = oneshot::channel();
        let mut running = std::pin::pin!(crate::run_until(loaded.config, sent(stopped), sent(forced)));
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
            signal = signals.stop_again(first) => warn!(%signal, "second signal: stopping at once"),
        }
        let _ = force.send(());
        running.await.map(|()| ExitCode::FAILURE)
    });
    // Does not wait for the remaining tasks: nothing may delay the exit.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| failed(&error))
}

/// Resolves when the value is sent; never, if the sender is dropped.
async fn sent(receiver: oneshot::Receiver<()>) {
    if receiver.await.is_err() {
        std::future::pending().await
    }
}

fn failed(error: &Error) -> ExitCode {
    // Not a log line: it has to show at every log level.
    let _ = writeln!(std::io::stderr(), "daytime-server: {}", error_chain(error));
    ExitCode::FAILURE
}
