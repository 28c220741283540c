//! Histories as text.

use oracle::History;

use crate::story::Story;

#[test]
fn a_history_is_read_as_it_was_written() {
    let history = Story::fleet().at(20_000).healed().end(60_000);
    let text = history.to_json_lines();
    assert_eq!(text.lines().count(), history.records.len() + 1);
    assert_eq!(History::from_json_lines(&text).unwrap(), history);
}

#[test]
fn files_of_several_processes_are_merged_by_time() {
    let history = Story::fleet().at(20_000).healed().end(60_000);
    let text = history.to_json_lines();
    let (bounds, records) = text.split_once('\n').unwrap();
    let (even, odd): (Vec<_>, Vec<_>) = records.lines().enumerate().partition(|(index, _)| index % 2 == 0);
    let lines =
        |lines: Vec<(usize, &str)>| lines.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
    let merged = format!("{bounds}\n{}\n\n{}\n", lines(odd), lines(even));
    let merged = History::from_json_lines(&merged).unwrap();
    assert!(merged.records.is_sorted_by_key(|record| record.at));
    assert_eq!(merged.records.len(), history.records.len());
}

#[test]
fn an_error_names_the_line() {
    let text = Story::fleet().end(60_000).to_json_lines();
    let broken = text.replacen("\"kind\":\"end\"", "\"kind\":\"ende\"", 1);
    let error = History::from_json_lines(&broken).unwrap_err();
    assert_eq!(error.line, text.lines().count());
    assert!(error.to_string().contains("ende"), "{error}");
    assert_eq!(History::from_json_lines("\n{").unwrap_err().line, 2);
    assert_eq!(History::from_json_lines("").unwrap(), History::default());
}
