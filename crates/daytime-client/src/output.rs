//! Standard output: lines, flushed one by one, and errors instead of panics.

use std::fmt::Display;
use std::io::Write;

use crate::error::Error;

/// Prints one line, at once.
pub(crate) fn line(text: impl Display) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::Output)
}

/// Tells the user something on standard error. Where nobody listens, nobody is told.
pub(crate) fn tell(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
