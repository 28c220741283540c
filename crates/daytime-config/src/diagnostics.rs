//! Collects what is wrong, and says at the end where that is.

use std::path::{Path, PathBuf};

use crate::problem::{Place, Problem, Problems};

/// Where a value came from; what comes later overrides what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// The file, at this byte.
    File(usize),
    /// The environment variable of this name.
    Environment(&'static str),
    /// The flag of this name.
    Flag(&'static str),
}

/// What is wrong so far.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    path: PathBuf,
    text: String,
    /// Where lines begin, in bytes.
    lines: Vec<usize>,
    unreadable: Option<String>,
    found: Vec<(Origin, Option<String>, String)>,
    warned: Vec<(Origin, String, String)>,
}

impl Origin {
    /// The greater one overrides the smaller one.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(_) => 1,
            Self::Environment(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

impl Diagnostics {
    /// Begins with a file and the text in it.
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { path, text, lines, unreadable: None, found: Vec::new(), warned: Vec::new() }
    }

    /// The folder of the file.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The text that bytes are counted in.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Notes that the file as such cannot be used.
    pub(crate) fn unreadable(&mut self, message: String) {
        self.unreadable = Some(message);
    }

    /// Notes what is wrong with a key.
    pub(crate) fn add(&mut self, origin: Origin, key: impl Into<String>, message: impl Into<String>) {
        self.found.push((origin, Some(key.into()), message.into()));
    }

    /// Notes what works and should not stay as it is.
    pub(crate) fn warn(&mut self, origin: Origin, key: impl Into<String>, message: impl Into<String>) {
        self.warned.push((origin, key.into(), message.into()));
    }

    /// Notes what is wrong at a byte of the file that belongs to no key.
    pub(crate) fn add_text(&mut self, at: usize, message: impl Into<String>) {
        self.found.push((Origin::File(at), None, message.into()));
    }

    /// The line that holds a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at)
    }

    /// Names an origin within a sentence.
    pub(crate) fn name(&self, origin: Origin) -> String {
        match origin {
            Origin::Default => "the default".into(),
            Origin::File(at) => format!("line {}", self.line(at)),
            Origin::Environment(name) | Origin::Flag(name) => name.into(),
        }
    }

    /// Ends with everything that was found, in order; or, if nothing is wrong, with the warnings.
    ///
    /// Columns are counted here and not before: a file may hold many mistakes in one long line, and only the
    /// first are listed.
    pub(crate) fn into_result(mut self) -> Result<Vec<Problem>, Problems> {
        let total = self.found.len() + usize::from(self.unreadable.is_some());
        if total == 0 {
            let warned = std::mem::take(&mut self.warned).into_iter();
            return Ok(warned
                .map(|(origin, key, message)| Problem::new(self.place(origin), Some(key), message))
                .collect());
        }
        self.found.sort();
        let found = std::mem::take(&mut self.found);
        let unreadable = self.unreadable.take();
        let file =
            unreadable.map(|message| Problem::new(Place::File { path: self.path.clone() }, None, message));
        let rest =
            found.into_iter().map(|(origin, key, message)| Problem::new(self.place(origin), key, message));
        let listed: Vec<Problem> = file.into_iter().chain(rest).take(Problems::LISTED).collect();
        let omitted = total - listed.len();
        Err(Problems::new(listed, omitted))
    }

    fn place(&self, origin: Origin) -> Place {
        match origin {
            Origin::Default => Place::File { path: self.path.clone() },
            Origin::File(at) => {
                let line = self.line(at);
                let before = self.text.get(self.lines[line - 1]..at).unwrap_or_default();
                Place::Line { path: self.path.clone(), line, column: before.chars().count() + 1 }
            }
            Origin::Environment(name) => Place::Environment { name },
            Origin::Flag(name) => Place::Flag { name },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_survive_crlf() {
        let text = "a\r\nüü = 1\r\n";
        let mut diagnostics = Diagnostics::new("f".into(), text.into());
        diagnostics.add_text(text.find('=').unwrap(), "late");
        diagnostics.add_text(0, "early");
        let problems = diagnostics.into_result().unwrap_err().to_string();
        assert_eq!(problems, "f:1:1: early\nf:2:4: late");
    }

    #[test]
    fn lists_the_first_hundred_and_counts_the_others() {
        let mut diagnostics = Diagnostics::new("f".into(), "x".repeat(500));
        for at in (0..500).rev() {
            diagnostics.add_text(at, "m");
        }
        let problems = diagnostics.into_result().unwrap_err();
        assert_eq!((problems.listed().len(), problems.omitted()), (100, 400));
        assert!(problems.to_string().ends_with("f:1:100: m\nand 400 more"));
    }
}
