//! A password that is never shown.

use std::fmt;

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Reads a password from the text of a file or a variable: one line, without its line end.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line {
            "" => Err("expected a password, found nothing".into()),
            _ if line.contains('\n') => Err("expected a password on one line, found several lines".into()),
            _ => Ok(Self(line.to_owned())),
        }
    }

    /// The password itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
