//! Writes to standard output and standard error, without panics.

use std::fmt::Display;
use std::io::Write;

use instance::Instance;

use crate::error::Error;

/// Prints one line on standard output, and flushes it.
pub(crate) fn line(text: impl Display) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::Output)
}

/// An instance's tags on one line, whatever characters they have: `zone=a version="2 beta"`.
pub(crate) fn tags(instance: &Instance) -> String {
    // Other programs write the tags, and a terminal shows them: control characters are escaped.
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
    let word = |text: &str| match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("{text:?}"),
    };
    let pairs: Vec<_> =
        instance.tags().iter().map(|(key, value)| format!("{}={}", word(key), word(value))).collect();
    pairs.join(" ")
}

/// Prints one line on standard error. A line that cannot be written is lost.
pub(crate) fn print_error(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_stay_on_one_line_and_unambiguous() {
        let instance = Instance::new("10.0.0.7:80".parse().unwrap());
        assert_eq!(tags(&instance), "");
        let instance =
            instance.with_tag("zone", "a").with_tag("spaced key", "a\nb=\u{1b}[2J").with_tag("none", "");
        assert_eq!(tags(&instance), r#"none="" "spaced key"="a\nb=\u{1b}[2J" zone=a"#);
    }
}
