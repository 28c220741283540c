//! The program: serves until it is told to stop.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use zk_embedded::{Server, Shutdown, Version};
use zk_program::{Signal, Signals};

/// How long the clients may take to be told of the end; those that read what is ready for them need milliseconds.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// A ZooKeeper server in one process and in memory, for laptops and tests.
///
/// Any ZooKeeper client can use it. It prints the address to connect to on standard output and serves until SIGTERM,
/// Ctrl-C, the end of its terminal, or another signal that asks to stop; then everything that it held is forgotten. For
/// data that matters, run Apache ZooKeeper.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 stopped as told, 1 could not serve, 2 wrong usage.\n\
    RUST_LOG=zk_embedded=debug tells more on standard error."
)]
struct Flags {
    /// Where to listen: a loopback address and a port, 0 for any free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:2181")]
    listen: SocketAddr,

    /// The unit of time, such as 2s or 500ms: session timeouts are granted from 2 to 20 of it.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = humantime::parse_duration)]
    tick: Duration,

    /// How many connections are served at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    max_connections: usize,

    /// Behave as this release of Apache ZooKeeper: 3.4, 3.5, 3.6 or 3.8.
    #[arg(long, value_name = "VERSION", default_value_t = Version::default())]
    release: Version,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    zk_program::log::init("warn");
    match zk_program::runtime().and_then(|runtime| runtime.block_on(run(&flags))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("zk-embedded: cannot serve on {}: {error}", flags.listen));
            ExitCode::from(if error.kind() == ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}

async fn run(flags: &Flags) -> io::Result<()> {
    // Before anybody can know that it serves, so that none who then stops it ends it rudely.
    let mut signals = Signals::install(&[Signal::SIGUSR1, Signal::SIGUSR2])?;
    let server = Server::builder()
        .listen(flags.listen)
        .tick(flags.tick)
        .max_connections(flags.max_connections)
        .version(flags.release)
        .start()
        .await?;
    // Who started it may have asked for the address, and cannot read it: then it serves all the same.
    let _ = writeln!(io::stdout(), "{}", server.connect_string());
    tell("zk-embedded keeps everything in memory and forgets it when it stops; stop it with Ctrl-C");
    signals.stop().await;
    // Whoever is not told in time notices by itself.
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, server.shutdown(Shutdown::CloseConnections)).await;
    Ok(())
}

/// Says something on standard error. Where nobody listens, nobody is told.
fn tell(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
