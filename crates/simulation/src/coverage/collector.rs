//! Counts arrows, each thread its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::{Arrow, Arrows};

/// The target of the events that are counted.
const TARGET: &str = "arrow";

thread_local! {
    /// By a hash of the names: an arrow is looked up thousands of times in a run, and its names are read once. Of a thousand
    /// arrows no two have the same.
    static COUNTED: RefCell<HashMap<u64, (Arrow, u64)>> = RefCell::default();
}

/// Counts arrows from now on, in every thread. Where the program has another subscriber already, or a thread has, that gets
/// them, and they are not counted: then [`check`](super::check()) says that everything is missing.
pub fn install() {
    // It fails if there is a subscriber, which may be this one.
    let _ = tracing::subscriber::set_global_default(Collector);
}

/// The arrows of this thread since the last call.
pub fn take() -> Arrows {
    COUNTED.with_borrow_mut(|counted| counted.drain().map(|(_, counted)| counted).collect())
}

struct Collector;

impl Subscriber for Collector {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && !metadata.is_span()
    }

    fn event(&self, event: &Event<'_>) {
        let mut hash = Hash(DefaultHasher::new());
        event.record(&mut hash);
        COUNTED.with_borrow_mut(|counted| {
            let counted = counted.entry(hash.0.finish()).or_insert_with(|| {
                let mut names = Names::default();
                event.record(&mut names);
                (names.0, 0)
            });
            counted.1 += 1;
        });
    }

    // No span is enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The hash of the names of an event.
struct Hash(DefaultHasher);

impl Visit for Hash {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.write_usize(field.index());
        self.0.write(value.as_bytes());
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The names of an event.
#[derive(Default)]
struct Names(Arrow);

impl Visit for Names {
    fn record_str(&mut self, field: &Field, value: &str) {
        let Arrow { machine, from, on, to } = &mut self.0;
        let name = match field.name() {
            "machine" => machine,
            "from" => from,
            "on" => on,
            "to" => to,
            _ => return,
        };
        *name = value.into();
    }

    // Names are texts.
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
