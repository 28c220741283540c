use std::time::Duration;

/// When a reply comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    InTime,
    Late(Duration),
    /// And everything behind it, too.
    Stalled(Duration),
    /// When the rule is released.
    Held(usize),
    Never,
}
