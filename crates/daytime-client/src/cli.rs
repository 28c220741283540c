//! The command line, the signals and the exit code of the program.

use std::future::Future;
use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use daytime_config::{ClientConfig, ClientFlags, Problems, ZookeeperFlags, error_chain};
use tokio::sync::oneshot;
use tracing::{info, warn};
use zk_program::{Signal, Signals};

use crate::error::Error;
use crate::link::Link;
use crate::output::print_error;
use crate::sigusr1::Release;
use crate::{ask, doctor, list, metrics, watch};

/// Finds daytime servers in ZooKeeper and asks them for the time; lists them; watches them come and go.
///
/// Without a command, the client makes as many requests (rounds) as configured, each to a server that the strategy picks,
/// and prints each answer as a line on standard output. The rounds begin when the first server is registered. When a
/// server fails, the round goes on at another server, and the client avoids the failed one for a while.
#[derive(Debug, Parser)]
#[command(name = "daytime-client", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    zookeeper: ZookeeperFlags,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the servers that are registered now, with what their records say
    List {
        /// Print one JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Check each step from the host names to a call of every server, and print what to look at if one fails
    Doctor {
        /// Print JSON objects, one a line
        #[arg(long)]
        json: bool,
    },
    /// Print joins, leaves and the state of the link to ZooKeeper, as they happen, until a signal; changes of records,
    /// too, where those are read: with records in the file, the strategy weighted, a zone or labels
    Watch {
        /// Print JSON objects, one a line
        #[arg(long)]
        json: bool,
    },
}

const AFTER_HELP: &str = "\
Configuration:
  Flags may stand before or after the command. A flag beats the environment, the environment beats the file, the file \
  beats the default.

Log:
  The log goes to standard error. RUST_LOG filters it: warn by default; info logs sessions and changes, debug each \
  attempt. An empty RUST_LOG counts as unset; invalid directives are reported, and the others are used. What cannot be \
  written to standard error is lost, and nothing else.

Signals:
  SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU and SIGPWR close the ZooKeeper session and end the client within \
  500ms. A signal that was ignored at the start, such as SIGHUP under nohup, stays ignored.
  SIGUSR1 makes a client that asks or watches release the instances that it holds after a mass disappearance: it \
  treats them as gone.

Exit codes:
  0  The client is done, the reader of its output has left (daytime-client | head -3), or a signal ended watch.
  1  A round or a step of doctor failed, ZooKeeper or a server did not appear in time, ZooKeeper refused the \
  authentication before the first session, the metrics endpoint or the link could not start, standard output cannot be \
  written, or a signal ended a command other than watch.
  2  The command line or the configuration is wrong.

Examples:
  daytime-client --rounds 20 --interval 100ms
  daytime-client list --json
  daytime-client doctor
  daytime-client watch --zookeeper zk1:2181,zk2:2181,zk3:2181/app";

/// The program: parses the command line, runs the command, and returns the exit code.
pub fn main() -> ExitCode {
    let cli: Cli = daytime_config::parse_command_line();
    zk_program::log::init("warn,zookeeper_client=error");
    let loaded = match daytime_config::load_client(&cli.zookeeper, &cli.client) {
        Ok(loaded) => loaded,
        Err(problems) => {
            print_error(problems);
            return ExitCode::from(Problems::EXIT_CODE);
        }
    };
    info!(source = %loaded.source, "configuration loaded");
    for warning in &loaded.warnings {
        warn!("configuration warning: {warning}");
    }
    // First, while there are file descriptors.
    if let Err(error) = zk_core::prepare() {
        return ended(Err(error.into()));
    }
    let runtime = match zk_program::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(Error::Start(error))),
    };
    let watching = matches!(cli.command, Some(Command::Watch { .. }));
    let outcome = runtime.block_on(async {
        let mut signals = Signals::install(&[Signal::SIGUSR2]).map_err(Error::Start)?;
        let release = Release::listen().map_err(Error::Start)?;
        let link = Link::default();
        let (handle, borrowed) = (tokio::runtime::Handle::current(), link.clone());
        let command =
            on_its_own_thread(move || handle.block_on(run(cli.command, loaded.config, &borrowed, release)))?;
        let outcome = tokio::select! {
            biased;
            outcome = command => outcome,
            signal = signals.stop() => if watching { Ok(()) } else { Err(Error::Stopped(signal.as_str())) },
        };
        // On every way out. Further signals ask for no more than this.
        link.close().await;
        outcome
    });
    // The command may still run on its thread, and would panic in a runtime that is shut down. The exit of the process
    // ends both, and nothing may delay it.
    std::mem::forget(runtime);
    ended(outcome)
}

/// Starts a command on a thread of its own, as a write may block on a reader that does not read: then only that thread
/// hangs. It ends with the command, or with the process. The future resolves with the outcome, or when the thread panics.
fn on_its_own_thread(
    command: impl FnOnce() -> Result<(), Error> + Send + 'static,
) -> Result<impl Future<Output = Result<(), Error>>, Error> {
    let (report, reported) = oneshot::channel();
    let thread = std::thread::Builder::new().name("command".into());
    // Nobody waits any more if a signal came first.
    thread.spawn(move || drop(report.send(command()))).map_err(Error::Start)?;
    Ok(async { reported.await.unwrap_or(Err(Error::Panicked)) })
}

async fn run(
    command: Option<Command>,
    config: ClientConfig,
    link: &Link,
    mut release: Release,
) -> Result<(), Error> {
    // `list` and `doctor` end before a scrape.
    let is_long_running = matches!(command, None | Some(Command::Watch { .. }));
    let endpoint = match config.metrics.filter(|_| is_long_running) {
        Some(address) => Some(daytime_metrics::Endpoint::start(address).await?),
        None => None,
    };
    metrics::describe();
    let outcome = match command {
        None => ask::run(config, link, &mut release).await,
        Some(Command::List { json }) => list::run(config, json, link).await,
        Some(Command::Doctor { json }) => doctor::run(config, json, link).await,
        Some(Command::Watch { json }) => watch::run(config, json, link, &mut release).await,
    };
    if let Some(endpoint) = endpoint {
        endpoint.shutdown().await;
    }
    outcome
}

fn ended(outcome: Result<(), Error>) -> ExitCode {
    let error = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        // A reader that closes the pipe, as `head` does, has read enough.
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(error) => error,
    };
    print_error(error_chain(&error));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_command_that_panics_is_an_error_and_not_a_wait() {
        let command = on_its_own_thread(|| panic!("a defect in a command")).unwrap();
        let outcome = timeout(Duration::from_secs(10), command).await.expect("an end in time");
        assert!(matches!(outcome, Err(Error::Panicked)), "{outcome:?}");
    }
}
