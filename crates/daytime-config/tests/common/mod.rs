//! Files to load, and what loading them says.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};

use daytime_config::{
    ClientConfig, ClientFlags, Environment, Loaded, Place, Problems, ServerConfig, ServerFlags,
    ZookeeperFlags, load_client_in, load_server_in,
};

/// A directory of its own, gone when dropped.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes the one file of this directory.
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

/// Line and key of each problem; 0 for a problem of the whole file, no text for no key.
pub(crate) fn lines_and_keys(problems: &Problems) -> Vec<(usize, String)> {
    let line = |place: &Place| if let Place::Line { line, .. } = place { *line } else { 0 };
    problems
        .listed()
        .iter()
        .map(|problem| (line(problem.place()), problem.key().unwrap_or_default().to_owned()))
        .collect()
}
