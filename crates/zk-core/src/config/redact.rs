//! Text that somebody typed, in our messages: where a password may stand in it, without that.

/// How much of it is shown, in characters.
const SHOWN: usize = 256;

/// Shortens a text, and leaves out what stands before an `@`: people write `user:password@host` in many places.
pub(crate) fn redact(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    // The last one of the whole text: a password may hold one, and what is cut off may, too.
    match text.rsplit_once('@') {
        None => shown,
        Some((_, behind)) => format!("***@{}", behind.chars().take(SHOWN).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_an_at_sign_is_not_shown() {
        assert_eq!(redact("zk1:2181/app"), "zk1:2181/app");
        assert_eq!(redact("joe:hunter2@zk1:2181"), "***@zk1:2181");
        assert_eq!(redact("joe:hun@ter2@zk1"), "***@zk1");
        assert_eq!(redact(&("x".repeat(1000) + "@")), "***@");
        assert_eq!(redact(&"ü".repeat(1000)).chars().count(), SHOWN);
    }
}
