//! Checks a configuration and prints the values that a program would run with.
//!
//! ```text
//! cargo run -p daytime-config --example show -- server --config config/ensemble.toml --advertise server1.example
//! ```
//!
//! Exits with 0 if the configuration is valid, and with 2 for wrong usage or configuration.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use daytime_config::{
    ClientFlags, Problems, ServerFlags, ZookeeperFlags, load_client, load_server, parse_command_line,
};

/// Checks a configuration and prints the values that a program would run with.
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    zookeeper: ZookeeperFlags,
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// Print the configuration of daytime-server
    Server(ServerFlags),
    /// Print the configuration of daytime-client
    Client(ClientFlags),
}

fn main() -> ExitCode {
    let cli: Cli = parse_command_line();
    let shown = match &cli.program {
        Program::Server(flags) => load_server(&cli.zookeeper, flags)
            .map(|loaded| format!("# {}\n{:#?}", loaded.source, loaded.config)),
        Program::Client(flags) => load_client(&cli.zookeeper, flags)
            .map(|loaded| format!("# {}\n{:#?}", loaded.source, loaded.config)),
    };
    match shown {
        Ok(shown) => {
            println!("{shown}");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::from(Problems::EXIT_CODE)
        }
    }
}
