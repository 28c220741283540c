//! Text that a person typed, as our messages repeat it: without what may be a password.

use std::borrow::Cow;

/// Replaces everything before the last `@` by `***`: people write `user:password@host` in many places.
///
/// Public for the crates of this workspace that repeat the same text in their own messages; no API to rely on.
pub fn redact(text: &str) -> Cow<'_, str> {
    // The last one: a password may contain an `@`, too.
    match text.rsplit_once('@') {
        None => text.into(),
        Some((_, rest)) => format!("***@{rest}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redact_hides_everything_before_the_last_at_sign() {
        assert_eq!(redact("zk1:2181/app"), "zk1:2181/app");
        assert_eq!(redact("joe:hunter2@zk1:2181"), "***@zk1:2181");
        assert_eq!(redact("joe:hun@ter2@zk1"), "***@zk1");
        assert_eq!(redact(&("x".repeat(1000) + "@")), "***@");
    }
}
