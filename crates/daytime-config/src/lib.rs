//! The one TOML schema and loader that `daytime-server` and `daytime-client` share.
//!
//! # What it is for
//!
//! Both programs read `config/daytime.toml`. [`load_server`] and [`load_client`] take what was given on the
//! command line, in the environment and in that file, and hand back values that are checked: nothing behind
//! this border validates again. What can be set, with defaults and units, is written in the file itself.
//!
//! # What it promises
//!
//! - A flag beats the environment, the environment beats the file, the file beats the default. An empty
//!   environment variable counts as unset.
//! - One value has one verdict: what a key takes, its flag, its variable and the file take, and nothing else.
//!   Blanks around a host or a number do no harm.
//! - Every mistake is reported, not just the first: [`Problems`] shows one line each, with file, line, column,
//!   key, what was expected and what was found. The whole file is checked by both programs, also what a flag
//!   overrides.
//! - Relations are checked on the outcome. Where a flag or a variable breaks one, it is named.
//! - A missing file is an error if somebody asked for it; without `--config` and `DAYTIME_CONFIG` the built-in
//!   defaults are used, and [`Loaded::source`] says so.
//! - No file panics the loader or keeps it busy: one over 1 MiB, or one that is no regular file, is refused
//!   unread.
//!
//! # What it does not do
//!
//! It resolves no names, connects to nothing and logs nothing: what works and should not stay as it is stands in
//! [`Loaded::warnings`]. A password comes from the environment or from a file of its own, and nothing here shows
//! it; nor do messages repeat what may be one in the wrong place: what stands before an `@`, what stands in
//! `[zookeeper.auth]`, what stands in a list of hosts and is no host.
//!
//! Programs exit with 0 when done, with 1 when they fail while running, and with [`Problems::EXIT_CODE`] for wrong
//! usage or configuration.
//!
//! # Cargo features
//!
//! `sasl` and `tls`, both off by default, add what their sections ask for. A build without them knows the keys,
//! checks the files, and says which feature is missing.
//!
//! # Example
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
//!     Ok(loaded) => println!("{} rounds, as {} says", loaded.config.client.rounds, loaded.source),
//!     Err(problems) => {
//!         eprintln!("{problems}");
//!         std::process::exit(Problems::EXIT_CODE.into());
//!     }
//! }
//! ```

mod check;
mod config;
mod diagnostics;
mod document;
mod environment;
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
pub use flags::{ClientFlags, ServerFlags, ZookeeperFlags, parse_command_line};
pub use loader::{DEFAULT_PATH, Loaded, Source, load_client, load_client_in, load_server, load_server_in};
pub use problem::{Place, Problem, Problems};
