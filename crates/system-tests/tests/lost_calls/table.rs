//! The table of what is lost, in Markdown.

use std::fmt;
use std::time::Duration;

use crate::method::Tally;

/// A row for each way to call, a column for each scene: how many calls were lost, of how many, and in brackets how long the
/// slowest answer took.
#[derive(Default)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<(&'static str, Vec<String>)>,
}

impl Table {
    /// Adds a cell. Every column has the same rows.
    pub(crate) fn add(&mut self, row: &'static str, column: &str, tally: &Tally) {
        if self.columns.last().is_none_or(|last| last != column) {
            self.columns.push(column.to_owned());
        }
        let (lost, calls) = (thousands(tally.lost), thousands(tally.calls));
        let cell = format!("{lost} of {calls} ({} ms)", thousands(tally.slowest.as_millis() as usize));
        match self.rows.iter_mut().find(|(name, _)| *name == row) {
            Some((_, cells)) => cells.push(cell),
            None => self.rows.push((row, vec![cell])),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| lost through | {} |", self.columns.join(" | "))?;
        writeln!(f, "|{}", " --- |".repeat(1 + self.columns.len()))?;
        for (name, cells) in &self.rows {
            writeln!(f, "| {name} | {} |", cells.join(" | "))?;
        }
        Ok(())
    }
}

/// A number as English writes it.
fn thousands(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", thousands(number / 1_000), number % 1_000),
    }
}

#[test]
fn a_table_has_a_row_for_each_method_and_a_column_for_each_scene() {
    let mut table = Table::default();
    let tally = |calls, lost| Tally { calls, lost, slowest: Duration::from_millis(7), ..Tally::default() };
    for column in ["killed", "restarted"] {
        table.add("call", column, &tally(2_591, 0));
        table.add("channel", column, &tally(1_234_567, 1_050));
    }
    let cells = ["0 of 2,591 (7 ms)", "1,050 of 1,234,567 (7 ms)"];
    let [call, channel] = cells.map(|cell| format!("{cell} | {cell}"));
    let expected = format!(
        "| lost through | killed | restarted |\n| --- | --- | --- |\n| call | {call} |\n| channel | {channel} |\n"
    );
    assert_eq!(table.to_string(), expected);
}
