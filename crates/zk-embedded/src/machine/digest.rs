use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Returns the id that a `user:password` proves in the scheme `digest`: the user, and a hash of both.
pub(super) fn identity(credentials: &[u8]) -> String {
    let credentials = String::from_utf8_lossy(credentials);
    let user = credentials.split(':').next().unwrap_or_default();
    format!("{user}:{}", STANDARD.encode(Sha1::digest(credentials.as_bytes())))
}

/// Returns whether an id can stand in an ACL: two parts, the second not empty, and no third but empty ones.
pub(super) fn is_valid(id: &str) -> bool {
    id.trim_end_matches(':').split(':').count() == 2
}

/// Returns the id without its hash, for a session that may read an ACL, but not change it.
pub(super) fn masked(id: &str) -> String {
    match id.split_once(':') {
        Some((user, _)) => format!("{user}:x"),
        None => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_user_and_hash() {
        // The example of ZooKeeper's own documentation of `super:test`.
        assert_eq!(identity(b"super:test"), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
        assert!(identity(b"user:pass:word").starts_with("user:"));
        assert!(identity(b"alone").starts_with("alone:"));
        assert!(identity(b"").starts_with(':'));
    }

    #[test]
    fn an_id_in_an_acl_has_a_user_and_a_hash() {
        assert_eq!(["a:b", ":b", "a:b:"].map(is_valid), [true; 3]);
        assert_eq!(["", ":", "a", "a:", "a:b:c", "a::c"].map(is_valid), [false; 6]);
    }

    #[test]
    fn a_masked_id_keeps_the_user() {
        assert_eq!(masked("user:hash="), "user:x");
    }
}
