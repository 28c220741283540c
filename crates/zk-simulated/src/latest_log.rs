//! The log of the ensemble that was built last on this thread, for who explains a failure.

use std::cell::RefCell;
use std::sync::Arc;

use crate::shared::Shared;

thread_local! {
    /// `None` while nobody would show its log.
    static LATEST: RefCell<Option<Latest>> = const { RefCell::new(None) };
}

type Latest = Option<Arc<Shared>>;

/// Begins or ends to keep it, and forgets what was kept.
pub(crate) fn keep(is_kept: bool) {
    LATEST.set(is_kept.then_some(None));
}

/// An ensemble is built.
pub(crate) fn remember(ensemble: &Arc<Shared>) {
    LATEST.with_borrow_mut(|latest| {
        if let Some(latest) = latest {
            *latest = Some(Arc::clone(ensemble));
        }
    });
}

/// Takes its lines, if one was built.
pub(crate) fn take() -> Option<Vec<String>> {
    let latest = LATEST.take()??;
    Some(latest.with(|world, _| world.log.lines()))
}
