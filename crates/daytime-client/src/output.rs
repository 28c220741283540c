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

/// What a record says beside the weight, on one line, whatever characters the tags have: `draining zone=a version="2 beta"`. The
/// first word is there only if the instance is draining; a tag of that name has a `=`.
pub(crate) fn tags(instance: &Instance) -> String {
    // Other programs write the tags, and a terminal shows them: control characters are escaped.
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
    let word = |text: &str| match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("{text:?}"),
    };
    let draining = instance.is_draining().then(|| "draining".to_owned());
    let pairs = instance.tags().iter().map(|(key, value)| format!("{}={}", word(key), word(value)));
    draining.into_iter().chain(pairs).collect::<Vec<_>>().join(" ")
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

    #[test]
    fn an_instance_that_is_draining_says_so_first() {
        let instance = Instance::new("10.0.0.7:80".parse().unwrap()).with_draining(true);
        assert_eq!(tags(&instance), "draining");
        assert_eq!(
            tags(&instance.with_tag("a", "b").with_tag("draining", "")),
            r#"draining a=b draining="""#
        );
    }
}
