//! A command line, files to load, and the problems of loading them.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use daytime_config::{
    ClientConfig, ClientFlags, Environment, Loaded, Place, Problems, ServerConfig, ServerFlags,
    ZookeeperFlags, load_client_in, load_server_in,
};

/// The flags of both programs, with a subcommand.
#[derive(Debug, Parser)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) zookeeper: ZookeeperFlags,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
    #[command(flatten)]
    pub(crate) client: ClientFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List,
}

/// A temporary directory, deleted on drop.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes `daytime.toml`.
    pub(crate) fn write(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join("daytime.toml");
        std::fs::write(&path, content).expect("there is room for a file");
        path
    }
}

fn flags(path: &Path) -> ZookeeperFlags {
    ZookeeperFlags { config: Some(path.to_owned()), ..ZookeeperFlags::default() }
}

pub(crate) fn load_client(path: &Path) -> Result<Loaded<ClientConfig>, Problems> {
    load_client_in(&Environment::default(), &flags(path), &ClientFlags::default())
}

pub(crate) fn load_server(path: &Path) -> Result<Loaded<ServerConfig>, Problems> {
    load_server_in(&Environment::default(), &flags(path), &ServerFlags::default())
}

pub(crate) fn client_problems(path: &Path) -> Problems {
    load_client(path).expect_err("the file is wrong")
}

pub(crate) fn server_problems(path: &Path) -> Problems {
    load_server(path).expect_err("the file is wrong")
}

/// Line and key of each problem; line 0 for a problem of the whole file, an empty key for none.
pub(crate) fn lines_and_keys(problems: &Problems) -> Vec<(usize, String)> {
    let line = |place: &Place| if let Place::Line { line, .. } = place { *line } else { 0 };
    problems
        .listed()
        .iter()
        .map(|problem| (line(problem.place()), problem.key().unwrap_or_default().to_owned()))
        .collect()
}
