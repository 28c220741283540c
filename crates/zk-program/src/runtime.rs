//! The tokio runtime of a program.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// File descriptors that a runtime with I/O and signals opens, and a few more.
const DESCRIPTORS: usize = 12;

/// Starts a runtime on all cores.
///
/// # Errors
/// If file descriptors or threads are short. tokio alone would panic for some of these: it opens what its runtimes share
/// at the first use, where it cannot return an error.
pub fn runtime() -> io::Result<Runtime> {
    // A pipe is two descriptors.
    let room: io::Result<Vec<_>> = (0..DESCRIPTORS / 2).map(|_| io::pipe()).collect();
    drop(room.map_err(|error| {
        io::Error::new(error.kind(), format!("too few file descriptors to start: {error}"))
    })?);
    Builder::new_multi_thread().enable_all().build()
}
