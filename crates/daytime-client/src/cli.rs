//! The command line.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use daytime_config::{ClientConfig, ClientFlags, ZookeeperFlags};
use tokio::sync::oneshot;
use tracing::{info, warn};
use zk_program::{Signal, Signals};

use crate::error::{Error, chain};
use crate::link::Link;
use crate::output::tell;
use crate::release::Release;
use crate::{ask, doctor, list, metrics, watch};

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
Empty is unset; what is wrong in it is told, and the rest is used.
While it asks or watches, SIGUSR1 has it believe at once a disappearance of most servers that it holds back.

Exit codes: 0 done, nobody reads on (as in `daytime-client | head -3`), or `watch` was asked to stop; 1 a round or a
step of the doctor failed, ZooKeeper or an instance did not turn up in time, ZooKeeper refused the authentication at
the start, standard output cannot be written, or what is not `watch` was asked to stop before it was done; 2 wrong
usage or configuration. What cannot be written to standard error is lost, and nothing else.

SIGTERM, SIGINT, SIGHUP, SIGQUIT and what else asks a program to stop ends it within half a second, the ZooKeeper
session being closed; one that was ignored at the start (SIGHUP under nohup) stays ignored.

Examples:
  daytime-client --rounds 20 --interval 100ms
  daytime-client list --json
  daytime-client doctor
  daytime-client watch --zookeeper zk1:2181,zk2:2181,zk3:2181/app";

/// The program: parses the command line, runs, and tells how it went.
pub fn main() -> ExitCode {
    let cli: Cli = daytime_config::parse_command_line();
    zk_program::log::init("warn,zookeeper_client=error");
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
    // While there are file descriptors.
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
        let (report, reported) = oneshot::channel();
        let (handle, borrowed) = (tokio::runtime::Handle::current(), link.clone());
        // A thread of its own, as a write may wait for a reader that stands still: then it is this thread that hangs,
        // and nothing else. It ends with the command, or with the process.
        std::thread::Builder::new()
            .name("command".into())
            .spawn(move || report.send(handle.block_on(run(cli.command, loaded.config, &borrowed, release))))
            .map_err(Error::Start)?;
        let outcome = tokio::select! {
            biased;
            outcome = reported => outcome.unwrap_or(Err(Error::Panicked)),
            signal = signals.stop() => if watching { Ok(()) } else { Err(Error::Stopped(signal.as_str())) },
        };
        // Whatever ended it. Further signals ask for no more than this.
        link.close().await;
        outcome
    });
    // The command may still be under way on its thread, where a runtime that is being shut down would make it panic. The
    // end of the process is the end of both, and nothing may hold it up.
    std::mem::forget(runtime);
    ended(outcome)
}

async fn run(
    command: Option<Command>,
    config: ClientConfig,
    link: &Link,
    mut release: Release,
) -> Result<(), Error> {
    // Who looks once and ends has nothing to be scraped for.
    let lasting = matches!(command, None | Some(Command::Watch { .. }));
    let _metrics = match config.metrics.filter(|_| lasting) {
        Some(address) => Some(daytime_metrics::Endpoint::start(address).await?),
        None => None,
    };
    metrics::describe();
    match command {
        None => ask::run(config, link, &mut release).await,
        Some(Command::List { json }) => list::run(config, json, link).await,
        Some(Command::Doctor { json }) => doctor::run(config, json, link).await,
        Some(Command::Watch { json }) => watch::run(config, json, link, &mut release).await,
    }
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
