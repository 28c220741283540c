//! The command line.

use std::io::{ErrorKind, IsTerminal};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use daytime_config::{ClientFlags, ZookeeperFlags};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::error::{Error, chain};
use crate::output::tell;
use crate::release::Release;
use crate::{ask, doctor, figures, list, watch};

/// Finds daytime servers in ZooKeeper and asks them for the time; lists them; watches them come and go.
///
/// Without a command it asks: as many rounds as configured, each to one server picked by the strategy, and
/// prints each answer on a line of standard output, nothing else. A server that fails is avoided for a
/// while, and the round goes on at another one. Rounds begin when an instance is known.
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
    /// Prints what is registered now
    List {
        /// As one JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Says step by step what can be reached, with times, and what to look at where that ends
    Doctor {
        /// As JSON objects, one a line
        #[arg(long)]
        json: bool,
    },
    /// Prints joins, leaves and the state of the connection, as they happen, until interrupted
    Watch {
        /// As JSON objects, one a line
        #[arg(long)]
        json: bool,
    },
}

const AFTER_HELP: &str = "\
Flags may stand before or after the command.
Flags beat the environment, the environment beats the file, the file beats the defaults.
RUST_LOG sets what is logged on standard error: warnings by default; info for the story, debug for each attempt.
While it asks or watches, SIGUSR1 has it believe at once a disappearance of most servers that it holds back.

Exit codes: 0 done, or nobody reads on (as in `daytime-client | head -3`); 1 a round or a step of the doctor failed,
ZooKeeper or an instance did not turn up in time, ZooKeeper refused the authentication at the start, or standard
output cannot be written; 2 wrong usage or configuration. What cannot be written to standard error is lost, and
nothing else.

Examples:
  daytime-client --rounds 20 --interval 100ms
  daytime-client list --json
  daytime-client doctor
  daytime-client watch --zookeeper zk1:2181,zk2:2181,zk3:2181/app";

/// The program: parses the command line, runs, and tells how it went.
pub fn main() -> ExitCode {
    let cli: Cli = daytime_config::parse_command_line();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_env_filter(
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("warn,zookeeper_client=error")),
        )
        .init();
    let loaded = match daytime_config::load_client(&cli.zookeeper, &cli.client) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(problems);
            return ExitCode::from(2);
        }
    };
    info!(source = %loaded.source, "configuration");
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(Error::Start(error))),
    };
    let outcome = runtime.block_on(async {
        let watching = matches!(cli.command, Some(Command::Watch { .. }));
        let mut release = Release::listen().map_err(Error::Start)?;
        let command = async {
            // Who looks once and ends has nothing to be scraped for.
            let lasting = matches!(cli.command, None | Some(Command::Watch { .. }));
            let _metrics = match loaded.config.metrics.filter(|_| lasting) {
                Some(address) => Some(daytime_metrics::Endpoint::start(address).await?),
                None => None,
            };
            figures::describe();
            match cli.command {
                None => ask::run(loaded.config, &mut release).await,
                Some(Command::List { json }) => list::run(loaded.config, json).await,
                Some(Command::Doctor { json }) => doctor::run(loaded.config, json).await,
                Some(Command::Watch { json }) => watch::run(loaded.config, json, &mut release).await,
            }
        };
        tokio::select! {
            outcome = command => outcome,
            interrupted = tokio::signal::ctrl_c() => match interrupted {
                Ok(()) if watching => Ok(()),
                Ok(()) => Err(Error::Interrupted),
                Err(error) => Err(Error::Start(error)),
            },
        }
    });
    runtime.shutdown_background();
    ended(outcome)
}

fn ended(outcome: Result<(), Error>) -> ExitCode {
    let error = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        // Who closes the pipe, as `head` does, has read enough.
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(error) => error,
    };
    tell(chain(&error));
    ExitCode::FAILURE
}
