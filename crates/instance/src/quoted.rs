//! Text of others in messages: escaped and cut short.

use std::fmt;

/// How many characters of such a text a message shows.
const SHOWN: usize = 64;

/// Shows a text of others quoted, with control characters escaped, and cut short, so that it can neither forge nor
/// flood a log.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN) {
            None => write!(f, "{:?}", self.0),
            Some((cut, _)) => write!(f, "{:?}... ({} bytes)", &self.0[..cut], self.0.len()),
        }
    }
}

/// Shows a text of others as it is if it is a short plain word, and else quoted.
pub(crate) struct Word<'a>(pub(crate) &'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'=' | b'\\');
        match (1..=SHOWN).contains(&self.0.len()) && self.0.bytes().all(is_plain) {
            true => f.write_str(self.0),
            false => Quoted(self.0).fmt(f),
        }
    }
}

/// Shortens a text of others to the length that a message shows, so that a [`Remark`](crate::Remark) keeps little.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}...", &text[..cut]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newline_is_escaped() {
        assert_eq!(Quoted("a\nb").to_string(), r#""a\nb""#);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let long = "ü".repeat(1000);
        assert!(Quoted(&long).to_string().ends_with("... (2000 bytes)"));
        assert_eq!(shorten(&long).chars().count(), SHOWN + 3);
    }
}
