//! Records a run, so that it can be compared with another one.

use std::future::Future;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Builder;
use tracing_subscriber::filter::LevelFilter;

/// Runs `work` in virtual time, on a runtime of its own with one thread. Returns its output, and all that was logged
/// meanwhile, of all tasks and at all levels, a line each and without times.
///
/// A test that compares whole runs is alone in its program: tests in other threads decide, too, which places `tracing`
/// takes for enabled, and lines go missing.
///
/// # Panics
/// If `work` does, or inside a tokio runtime.
pub fn recorded<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O takes nothing from the system");
    let output = tracing::subscriber::with_default(subscriber, || runtime.block_on(work));
    let lines = String::from_utf8_lossy(&log.0.lock()).lines().map(str::to_owned).collect();
    (output, lines)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Checks that two runs are the same.
///
/// # Panics
/// With the first difference, if they are not.
#[track_caller]
pub fn assert_same_lines(one: &[String], other: &[String]) {
    for (number, (one, other)) in one.iter().zip(other).enumerate() {
        assert_eq!(one, other, "line {number}");
    }
    assert_eq!(one.len(), other.len(), "one goes on where the other ends");
}
