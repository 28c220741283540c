//! The program: serves until a signal asks it to stop.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use zk_embedded::{Server, Shutdown, Version};
use zk_program::{Signal, Signals};

/// How long clients may take to read what is ready for them; those that read need milliseconds.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// A ZooKeeper server in one process and in memory, for laptops and tests.
///
/// Any ZooKeeper client can use it. The program prints its address on standard output and serves until SIGTERM, Ctrl-C, the
/// end of its terminal, or another signal that asks it to stop; then all data is forgotten. For data that matters, run
/// Apache ZooKeeper.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 stopped by a signal, 1 could not serve, 2 wrong usage.\n\
    RUST_LOG=zk_embedded=debug logs sessions and connections on standard error."
)]
struct Flags {
    /// Address to listen on: a loopback address and a port, 0 for any free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:2181")]
    listen: SocketAddr,

    /// Length of a tick, such as 2s or 500ms; session timeouts are 2 to 20 ticks.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = humantime::parse_duration)]
    tick: Duration,

    /// Most connections at the same time; others are closed.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    max_connections: usize,

    /// Release of Apache ZooKeeper to behave as: 3.4, 3.5, 3.6 or 3.8.
    #[arg(long, value_name = "VERSION", default_value_t = Version::default())]
    release: Version,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    zk_program::log::init("warn");
    match zk_program::runtime().and_then(|runtime| runtime.block_on(run(&flags))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(format_args!("zk-embedded: cannot serve on {}: {error}", flags.listen));
            ExitCode::from(if error.kind() == ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}

async fn run(flags: &Flags) -> io::Result<()> {
    // Before the address is printed: from then on a signal has to end the program in order.
    let mut signals = Signals::install(&[Signal::SIGUSR1, Signal::SIGUSR2])?;
    let server = Server::builder()
        .listen(flags.listen)
        .tick(flags.tick)
        .max_connections(flags.max_connections)
        .version(flags.release)
        .start()
        .await?;
    // The reader of the address may be gone: the program serves all the same.
    let _ = writeln!(io::stdout(), "{}", server.connect_string());
    print("zk-embedded keeps everything in memory and forgets it when it stops; stop it with Ctrl-C");
    signals.stop().await;
    // A client that does not read in time notices the end by itself.
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, server.shutdown(Shutdown::CloseConnections)).await;
    Ok(())
}

/// Prints on standard error; a closed one is no error.
fn print(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
