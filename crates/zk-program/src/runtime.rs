//! The runtime of a program.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// What a runtime with I/O and signals takes, and a few more.
const DESCRIPTORS: usize = 12;

/// A runtime on all cores.
///
/// # Errors
/// If file descriptors or threads are short. tokio alone would panic at some of that: what it shares between runtimes
/// is made when it is first used, and cannot fail there.
pub fn runtime() -> io::Result<Runtime> {
    // A pipe is two.
    let room: io::Result<Vec<_>> = (0..DESCRIPTORS / 2).map(|_| io::pipe()).collect();
    drop(room.map_err(|error| {
        io::Error::new(error.kind(), format!("no file descriptors to run with: {error}"))
    })?);
    Builder::new_multi_thread().enable_all().build()
}
