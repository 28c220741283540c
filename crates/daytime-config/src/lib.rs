//! The TOML schema and the loader that `daytime-server` and `daytime-client` share. [`load_server`] and [`load_client`]
//! combine the command line, the environment and `config/daytime.toml` into checked values.
//!
//! ```no_run
//! use clap::Parser;
//! use daytime_config::{ClientFlags, Problems, ZookeeperFlags, load_client};
//!
//! #[derive(Parser)]
//! struct Cli {
//!     #[command(flatten)]
//!     zookeeper: ZookeeperFlags,
//!     #[command(flatten)]
//!     client: ClientFlags,
//! }
//!
//! let cli: Cli = daytime_config::parse_command_line();
//! match load_client(&cli.zookeeper, &cli.client) {
//!     Ok(loaded) => println!("{} rounds, from {}", loaded.config.client.rounds, loaded.source),
//!     Err(problems) => {
//!         eprintln!("{problems}");
//!         std::process::exit(Problems::EXIT_CODE.into());
//!     }
//! }
//! ```
//!
//! `config/daytime.toml` documents every key with its default and unit. Code behind the loader validates nothing again.
//!
//! # Promises
//!
//! - A flag beats the environment, the environment beats the file, the file beats the default. An empty variable counts
//!   as unset.
//! - Flag, variable and file accept the same values of a key. Blanks around a host or a number do no harm.
//! - [`Problems`] reports every mistake, one line each: file, line, column, key, the expected and the found value. Both
//!   programs check the whole file, also what a flag overrides.
//! - Relations between keys are checked on the final values; the message names the flag or variable that breaks one.
//! - A missing file is an error if `--config` or `DAYTIME_CONFIG` names it. Otherwise the built-in defaults apply, and
//!   [`Loaded::source`] says so.
//! - No file makes the loader panic or hang: it refuses, unread, a file over 1 MiB and anything but a regular file.
//! - Nothing shows a password. Messages leave out what may be one in the wrong place: text before an `@`, values of
//!   `[zookeeper.auth]`, entries of a list of hosts that are no host.
//!
//! # Limits
//!
//! - The loader resolves no names, connects to nothing and logs nothing. Settings that work but should not stay are in
//!   [`Loaded::warnings`].
//! - A password comes from the environment or from a file of its own, never from a flag or the TOML file.
//!
//! The programs exit with 0 when done, with 1 when they fail while running, and with [`Problems::EXIT_CODE`] for wrong
//! usage or configuration.
//!
//! # Cargo features
//!
//! `sasl` and `tls`, both off by default, add SASL and TLS. A build without them knows the keys, checks the files, and
//! names the missing feature.

mod check;
mod config;
mod defaults;
mod diagnostics;
mod document;
mod environment;
mod error_chain;
mod file;
mod flags;
mod loader;
mod problem;
mod schema;
mod secret;
mod security;
mod settings;
mod syntax;

pub use config::{ClientConfig, ClientSettings, ServerConfig, ServerSettings};
pub use environment::Environment;
pub use error_chain::error_chain;
pub use flags::{ClientFlags, ServerFlags, ZookeeperFlags, parse_command_line};
pub use loader::{DEFAULT_PATH, Loaded, Source, load_client, load_client_in, load_server, load_server_in};
pub use problem::{Place, Problem, Problems};
