//! What lies below an error.

use std::error::Error;
use std::io;
use std::iter::successors;

/// Finds the innermost `io::Error` of an error.
pub(super) fn io_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    successors(Some(error), |&error| below(error)).filter_map(|error| error.downcast_ref()).last()
}

/// Finds the outermost error of a type.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    successors(Some(error), |&error| below(error)).find_map(|error| error.downcast_ref())
}

/// An `io::Error` that wraps an error names as its source not that one but the source of that one: it is looked into.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
