//! The problems of a configuration, and their places.

use std::fmt;
use std::path::PathBuf;

/// All problems of a configuration. Displays as one line for each, without a line end behind the last.
///
/// Sorted: the file first, from top to bottom, then the environment, then the command line. At most 100 are
/// listed; a last line counts the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    listed: Vec<Problem>,
    omitted: usize,
}

/// One problem, or one warning. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    place: Place,
    key: Option<String>,
    message: String,
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The whole file, which could not be read.
    File {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// A place in the file.
    Line {
        /// The file, as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        name: &'static str,
    },
    /// A flag of the command line.
    Flag {
        /// The flag with its hyphens.
        name: &'static str,
    },
}

impl Problems {
    /// The exit code of a program whose usage or configuration is wrong, as `clap` has it: 2.
    pub const EXIT_CODE: u8 = 2;

    /// How many problems are listed one by one.
    pub(crate) const LISTED: usize = 100;

    pub(crate) fn new(listed: Vec<Problem>, omitted: usize) -> Self {
        Self { listed, omitted }
    }

    /// The problems that are listed, in their order.
    #[must_use]
    pub fn listed(&self) -> &[Problem] {
        &self.listed
    }

    /// How many problems are not listed.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl Problem {
    pub(crate) fn new(place: Place, key: Option<String>, message: String) -> Self {
        Self { place, key, message }
    }

    /// Where the problem is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The key, such as `server.ports[1]`; `None` for a file that cannot be read at all and for text that belongs
    /// to no key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What is wrong, and what was expected.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.listed.iter().enumerate() {
            let line_end = if i == 0 { "" } else { "\n" };
            write!(f, "{line_end}{problem}")?;
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(f, "\nand {omitted} more"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path may contain line ends, and a problem is one line.
        let plain = |path: &PathBuf| path.display().to_string().replace(char::is_control, "?");
        match self {
            Self::File { path } => f.write_str(&plain(path)),
            Self::Line { path, line, column } => write!(f, "{}:{line}:{column}", plain(path)),
            Self::Environment { name } | Self::Flag { name } => f.write_str(name),
        }
    }
}
