//! Panics of tasks, which are recorded instead of printed.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic;
use std::sync::Once;

use oracle::What;

use super::recorder::Recorder;

thread_local! {
    /// Where panics of this thread are recorded.
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Records the panics of this thread, until it is dropped.
pub(super) struct Panics(PhantomData<*const ()>);

impl Panics {
    pub(super) fn watch(recorder: &Recorder) -> Self {
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let recorder = RECORDER.try_with(|recorder| recorder.borrow().clone()).ok().flatten();
                match recorder {
                    // A panic within a task belongs to the run; which process it is of, its place tells.
                    Some(recorder) => record(&recorder, info),
                    None => before(info),
                }
            }));
        });
        RECORDER.set(Some(recorder.clone()));
        Self(PhantomData)
    }
}

fn record(recorder: &Recorder, info: &panic::PanicHookInfo<'_>) {
    let text = info.payload_as_str().unwrap_or("no message");
    let message = match info.location() {
        Some(place) => format!("{text} at {}:{}", place.file(), place.line()),
        None => text.to_owned(),
    };
    recorder.record(What::Panicked { process: "a process".into(), message });
}

impl Drop for Panics {
    fn drop(&mut self) {
        RECORDER.set(None);
    }
}
