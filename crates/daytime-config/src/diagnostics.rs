//! Collects problems and warnings, and resolves their places at the end.

use std::path::{Path, PathBuf};

use crate::problem::{Place, Problem, Problems};

/// Where a value came from; a later origin overrides an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The built-in default.
    Default,
    /// The file, at this byte.
    File(usize),
    /// The environment variable of this name.
    Environment(&'static str),
    /// The flag of this name.
    Flag(&'static str),
}

/// The problems and warnings so far.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    path: PathBuf,
    text: String,
    /// Where lines begin, in bytes.
    lines: Vec<usize>,
    /// Why the whole file cannot be used.
    unreadable: Option<String>,
    /// Origin, key and message.
    problems: Vec<(Origin, Option<String>, String)>,
    warnings: Vec<(Origin, String, String)>,
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
    /// Starts with a file and its text.
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { path, text, lines, unreadable: None, problems: Vec::new(), warnings: Vec::new() }
    }

    /// The folder of the file.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The text of the file, in which origins count bytes.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Reports that the whole file cannot be used.
    pub(crate) fn unreadable(&mut self, message: String) {
        self.unreadable = Some(message);
    }

    /// Reports a problem of a key.
    pub(crate) fn add(&mut self, origin: Origin, key: impl Into<String>, message: impl Into<String>) {
        self.problems.push((origin, Some(key.into()), message.into()));
    }

    /// Warns of a setting that works but should not stay.
    pub(crate) fn warn(&mut self, origin: Origin, key: impl Into<String>, message: impl Into<String>) {
        self.warnings.push((origin, key.into(), message.into()));
    }

    /// Reports a problem at a byte of the file that belongs to no key.
    pub(crate) fn add_text(&mut self, at: usize, message: impl Into<String>) {
        self.problems.push((Origin::File(at), None, message.into()));
    }

    /// The number of the line of a byte, from 1.
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

    /// Returns the problems, in order; or the warnings, if there are no problems.
    ///
    /// Columns are counted here, for listed problems only: a long line may have many more mistakes.
    pub(crate) fn into_result(mut self) -> Result<Vec<Problem>, Problems> {
        let total = self.problems.len() + usize::from(self.unreadable.is_some());
        if total == 0 {
            let warnings = std::mem::take(&mut self.warnings).into_iter();
            return Ok(warnings
                .map(|(origin, key, message)| Problem::new(self.place(origin), Some(key), message))
                .collect());
        }
        self.problems.sort();
        let problems = std::mem::take(&mut self.problems);
        let unreadable = self.unreadable.take();
        let file =
            unreadable.map(|message| Problem::new(Place::File { path: self.path.clone() }, None, message));
        let rest =
            problems.into_iter().map(|(origin, key, message)| Problem::new(self.place(origin), key, message));
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
    fn columns_count_characters_and_crlf_is_one_line_end() {
        let text = "a\r\nüü = 1\r\n";
        let mut diagnostics = Diagnostics::new("f".into(), text.into());
        diagnostics.add_text(text.find('=').unwrap(), "late");
        diagnostics.add_text(0, "early");
        let problems = diagnostics.into_result().unwrap_err().to_string();
        assert_eq!(problems, "f:1:1: early\nf:2:4: late");
    }

    #[test]
    fn the_first_hundred_problems_are_listed_and_the_others_counted() {
        let mut diagnostics = Diagnostics::new("f".into(), "x".repeat(500));
        for at in (0..500).rev() {
            diagnostics.add_text(at, "m");
        }
        let problems = diagnostics.into_result().unwrap_err();
        assert_eq!((problems.listed().len(), problems.omitted()), (100, 400));
        assert!(problems.to_string().ends_with("f:1:100: m\nand 400 more"));
    }
}
