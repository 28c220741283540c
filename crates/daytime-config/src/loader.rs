//! Combines the layers: defaults, file, environment, flags.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::{ClientConfig, ServerConfig};
use crate::diagnostics::Diagnostics;
use crate::document;
use crate::environment::{self, Environment};
use crate::file::{self, ReadError};
use crate::flags::{ClientFlags, ServerFlags, ZookeeperFlags};
use crate::problem::{Problem, Problems};
use crate::settings::Settings;

/// The file that is read if no flag or variable names another, and if it exists; relative to the working directory.
pub const DEFAULT_PATH: &str = "config/daytime.toml";

/// A checked configuration, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<C> {
    /// The configuration.
    pub config: C,
    /// Which file it came from, for a log line at start.
    pub source: Source,
    /// Settings that work but should not stay, for log lines at start: a secret that others can read.
    pub warnings: Vec<Problem>,
}

/// The layer below the environment and the flags. Displays as the path, or as `the built-in defaults`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// No file was named, and there is none at [`DEFAULT_PATH`].
    Defaults,
}

/// Loads the configuration of `daytime-server`, with the environment of this process.
///
/// # Errors
/// All mistakes at once: print them to standard error and exit with [`Problems::EXIT_CODE`].
pub fn load_server(
    zookeeper: &ZookeeperFlags,
    server: &ServerFlags,
) -> Result<Loaded<ServerConfig>, Problems> {
    load_server_in(&Environment::of_process(), zookeeper, server)
}

/// Loads the configuration of `daytime-client`, with the environment of this process.
///
/// # Errors
/// All mistakes at once: print them to standard error and exit with [`Problems::EXIT_CODE`].
pub fn load_client(
    zookeeper: &ZookeeperFlags,
    client: &ClientFlags,
) -> Result<Loaded<ClientConfig>, Problems> {
    load_client_in(&Environment::of_process(), zookeeper, client)
}

/// Loads the configuration of `daytime-server` with `environment` in place of the process's own.
///
/// # Errors
/// As [`load_server`].
pub fn load_server_in(
    environment: &Environment,
    zookeeper: &ZookeeperFlags,
    server: &ServerFlags,
) -> Result<Loaded<ServerConfig>, Problems> {
    let (settings, source, warnings) = load(environment, zookeeper, |settings, diagnostics| {
        environment.apply_server(settings, diagnostics);
        server.apply(settings, diagnostics);
    })?;
    Ok(Loaded { config: settings.server_config(), source, warnings })
}

/// Loads the configuration of `daytime-client` with `environment` in place of the process's own.
///
/// # Errors
/// As [`load_client`].
pub fn load_client_in(
    environment: &Environment,
    zookeeper: &ZookeeperFlags,
    client: &ClientFlags,
) -> Result<Loaded<ClientConfig>, Problems> {
    let (settings, source, warnings) = load(environment, zookeeper, |settings, diagnostics| {
        environment.apply_client(settings, diagnostics);
        client.apply(settings, diagnostics);
    })?;
    Ok(Loaded { config: settings.client_config(), source, warnings })
}

fn load(
    environment: &Environment,
    zookeeper: &ZookeeperFlags,
    apply_own: impl FnOnce(&mut Settings, &mut Diagnostics),
) -> Result<(Settings, Source, Vec<Problem>), Problems> {
    let (path, named_by) = match (&zookeeper.config, environment.get(environment::CONFIG)) {
        (Some(path), _) => (path.clone(), Some("--config")),
        (None, Some(path)) => (PathBuf::from(path), Some(environment::CONFIG)),
        (None, None) => (PathBuf::from(DEFAULT_PATH), None),
    };
    let mut settings = Settings::default();
    let (mut diagnostics, source) = load_file(&path, named_by, &mut settings);
    environment.apply_zookeeper(&mut settings, &mut diagnostics);
    zookeeper.apply(&mut settings, &mut diagnostics);
    apply_own(&mut settings, &mut diagnostics);
    settings.check(&mut diagnostics);
    let warnings = diagnostics.into_result()?;
    Ok((settings, source, warnings))
}

fn load_file(path: &Path, named_by: Option<&str>, settings: &mut Settings) -> (Diagnostics, Source) {
    let begin = |text| Diagnostics::new(path.to_owned(), text);
    let found = Source::File(path.to_owned());
    match file::read(path) {
        Ok(text) => {
            let mut diagnostics = begin(text);
            document::read(settings, &mut diagnostics);
            (diagnostics, found)
        }
        Err(ReadError::Missing) => {
            let mut diagnostics = begin(String::new());
            let Some(named_by) = named_by else { return (diagnostics, Source::Defaults) };
            diagnostics.unreadable(format!("no such file; {named_by} names it"));
            (diagnostics, found)
        }
        Err(ReadError::Unusable(message)) => {
            let mut diagnostics = begin(String::new());
            diagnostics.unreadable(message);
            (diagnostics, found)
        }
        Err(ReadError::NotUtf8 { before }) => {
            let at = before.len();
            let mut diagnostics = begin(before);
            diagnostics.add_text(at, "expected UTF-8, found another encoding or no text at all");
            (diagnostics, found)
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Defaults => f.write_str("the built-in defaults"),
        }
    }
}
