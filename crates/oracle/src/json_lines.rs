//! Histories as text: a line for the bounds, and one for each record.

use std::fmt;

use crate::history::{Bounds, History, Record};

/// A line that is no record.
#[derive(Debug)]
pub struct BadLine {
    /// Its number; the first is 1.
    pub line: usize,
    /// Why.
    pub error: serde_json::Error,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.error)
    }
}

impl std::error::Error for BadLine {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl History {
    /// Reads the text that [`to_json_lines`](Self::to_json_lines) writes. Empty lines are ignored, and the records are sorted by
    /// time: the files of several processes, each a list of records, may stand one after the other below the line of the
    /// bounds. Records of one time stay in their order.
    ///
    /// # Errors
    /// [`BadLine`], for the first line that makes no sense.
    pub fn from_json_lines(text: &str) -> Result<Self, BadLine> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let mut lines = lines.map(|(index, line)| (index + 1, line));
        let Some((first, bounds)) = lines.next() else { return Ok(Self::default()) };
        let bounds: Bounds = serde_json::from_str(bounds).map_err(|error| BadLine { line: first, error })?;
        let records =
            lines.map(|(line, text)| serde_json::from_str(text).map_err(|error| BadLine { line, error }));
        let mut records: Vec<Record> = records.collect::<Result<_, _>>()?;
        records.sort_by_key(|record| record.at);
        Ok(Self { bounds, records })
    }

    /// Writes the bounds as one line of JSON, and then each record as one.
    ///
    /// # Panics
    /// Never: every value of a history can be written.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let mut text = line(&self.bounds);
        self.records.iter().for_each(|record| text.push_str(&line(record)));
        text
    }
}

fn line(value: &impl serde::Serialize) -> String {
    let mut line =
        serde_json::to_string(value).expect("its maps have keys of text, and its numbers are finite");
    line.push('\n');
    line
}
