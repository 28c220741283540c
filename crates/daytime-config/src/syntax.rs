//! Parses TOML, and reports one problem for each syntax error.
//!
//! The parser recovers and goes on, so one missing bracket causes a dozen errors. Of the errors within one value, and
//! of those on one line, only the first is reported. The keys below a broken header are not checked.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::check::quote;
use crate::diagnostics::{Diagnostics, Origin};
use crate::document::join;
use crate::problem::Problems;

/// The parser's message for a line such as `host "x"`, behind which it drops the rest of the file.
const NO_VALUE: &str = "key with no value";

/// The parts of a file that have been reported, and are not checked any further.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    /// The bytes at which broken values begin.
    values: BTreeSet<usize>,
    /// The broken lines, from 1.
    lines: BTreeSet<usize>,
}

impl Broken {
    /// Whether a value that begins at a byte, or the line of its key, is broken.
    pub(crate) fn has(&self, value: usize, key_line: usize) -> bool {
        self.values.contains(&value) || self.lines.contains(&key_line)
    }
}

/// Parses text, reports its syntax errors, and returns the valid parts.
///
/// `repaired` stores the text of a second attempt.
pub(crate) fn parse<'a>(
    text: &'a str,
    repaired: &'a mut String,
    diagnostics: &mut Diagnostics,
) -> (DeTable<'a>, Broken) {
    let (mut document, mut errors) = DeTable::parse_recoverable(text);
    if errors.iter().any(|error| error.message().starts_with(NO_VALUE)) {
        errors.retain(|error| error.message().starts_with(NO_VALUE));
        *repaired = blank_lines(text, &errors);
        let (second, more) = DeTable::parse_recoverable(repaired);
        document = second;
        errors.extend(more);
    }
    errors.sort_by_cached_key(start);
    let document = document.into_inner();
    let broken = report(&document, &errors, diagnostics);
    (document, broken)
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// Overwrites the lines of some errors with spaces, so that the positions of the other lines do not change.
fn blank_lines(text: &str, errors: &[Error]) -> String {
    let mut starts = errors.iter().map(start).collect::<BTreeSet<_>>().into_iter().peekable();
    let mut blanked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches('\n');
        let end = blanked.len() + content.len();
        let mut is_bad = false;
        while starts.next_if(|start| *start <= end).is_some() {
            is_bad = true;
        }
        if is_bad {
            blanked.extend(std::iter::repeat_n(' ', content.len()));
            blanked.push_str(&line[content.len()..]);
        } else {
            blanked.push_str(line);
        }
    }
    blanked
}

fn report(document: &DeTable<'_>, errors: &[Error], diagnostics: &mut Diagnostics) -> Broken {
    let places = places(document);
    let mut broken = Broken::default();
    let mut count = 0;
    for error in errors {
        let at = start(error);
        let place = places.partition_point(|(span, _)| span.start <= at).checked_sub(1).map(|i| &places[i]);
        let place = place.filter(|(span, _)| at <= span.end);
        let is_new_value = place.is_none_or(|(span, _)| broken.values.insert(span.start));
        let is_new_line = broken.lines.insert(diagnostics.line(at));
        if is_new_line && error.message().starts_with("unclosed table") {
            broken.lines.extend(below_header(at, diagnostics));
        }
        if !(is_new_value && is_new_line) {
            continue;
        }
        count += 1;
        match place {
            // Errors come in order, so this one is only counted, not listed.
            _ if count > Problems::LISTED => diagnostics.add_text(at, String::new()),
            Some((span, key)) => {
                let (at, error) = unclosed(span, errors).map_or((at, error), |error| (span.start, error));
                broken.lines.insert(diagnostics.line(at));
                diagnostics.add(Origin::File(at), key.as_str(), explain(error));
            }
            None if error.message() == "duplicate key" => duplicate(document, error, diagnostics),
            None => diagnostics.add_text(at, explain(error)),
        }
    }
    broken
}

/// The lines from a broken header to the next header: their section is unknown.
fn below_header(at: usize, diagnostics: &Diagnostics) -> Range<usize> {
    let line = diagnostics.line(at);
    let below = diagnostics.text()[at..].split('\n').skip(1);
    let count = below.take_while(|text| !text.trim_start().starts_with('[')).count();
    line..line + count + 1
}

/// The error that explains the others: a value that never ends.
fn unclosed<'a>(span: &Range<usize>, errors: &'a [Error]) -> Option<&'a Error> {
    let first = errors.partition_point(|error| start(error) < span.start);
    let mut inside = errors[first..].iter().take_while(|error| start(error) <= span.end);
    inside.find(|error| error.message().starts_with("unclosed"))
}

/// The places of values and their keys, sorted.
fn places(document: &DeTable<'_>) -> Vec<(Range<usize>, String)> {
    let mut places = Vec::new();
    for (section, value) in document {
        let DeValue::Table(table) = value.get_ref() else {
            places.push((value.span(), join("", section.get_ref())));
            continue;
        };
        let entries = table.iter();
        let section = join("", section.get_ref());
        places.extend(entries.map(|(key, value)| (value.span(), join(&section, key.get_ref()))));
    }
    places.sort_by_key(|(span, _)| span.start);
    places
}

/// Reports a key or a section that appears in the file twice.
fn duplicate(document: &DeTable<'_>, error: &Error, diagnostics: &mut Diagnostics) {
    let span = error.span().unwrap_or_default();
    let text = diagnostics.text();
    let name = text.get(span.clone()).unwrap_or_default().trim_matches(['"', '\'']).to_owned();
    let line_begin = text[..span.start].rfind('\n').map_or(0, |line_end| line_end + 1);
    if text[line_begin..span.start].trim_start().starts_with('[') {
        let message = "this section appears twice; expected all of its keys in one place";
        return diagnostics.add(Origin::File(span.start), join("", &name), message);
    }
    // The nearest section above.
    let headers =
        document.iter().filter(|(_, value)| value.get_ref().is_table() && value.span().start < span.start);
    let section = headers.max_by_key(|(_, value)| value.span().start);
    let first = section.and_then(|(_, value)| first_of(value, &name)).filter(|first| *first < span.start);
    match (section, first) {
        (Some((section, _)), Some(first)) => {
            let message = format!("set twice; first on line {}", diagnostics.line(first));
            diagnostics.add(Origin::File(span.start), join(&join("", section.get_ref()), &name), message);
        }
        _ => diagnostics.add_text(span.start, format!("{} is set twice", quote(&name))),
    }
}

fn first_of(section: &Spanned<DeValue<'_>>, name: &str) -> Option<usize> {
    let (key, _) = section.get_ref().as_table()?.get_key_value(name)?;
    Some(key.span().start)
}

/// The parser's message, except where it misleads.
fn explain(error: &Error) -> String {
    let message = error.message();
    let is_empty = error.span().is_some_and(|span| span.is_empty());
    if message.starts_with("string values must be quoted") {
        return match is_empty {
            true => "expected a value, found none".into(),
            false => "expected a value; text must be in quotes".into(),
        };
    }
    message.replace(char::is_control, " ").replace('`', "'")
}
