//! Checks a request against an ACL.

use super::auth::Identity;
use super::ip;
use zk_wire::{Acl, ErrorCode};

pub(super) const READ: i32 = 1;
pub(super) const WRITE: i32 = 2;
pub(super) const CREATE: i32 = 4;
pub(super) const DELETE: i32 = 8;
pub(super) const ADMIN: i32 = 16;
const ALL: i32 = 31;

/// Returns the entry that lets everybody do everything.
pub(super) fn open() -> Acl {
    Acl { permissions: ALL, scheme: "world".into(), id: "anyone".into() }
}

/// Requires one of `permissions`.
pub(super) fn check(acl: &[Acl], permissions: i32, identities: &[Identity]) -> Result<(), ErrorCode> {
    let grants = |entry: &Acl| entry.permissions & permissions != 0 && is_for(entry, identities);
    if acl.is_empty() || acl.iter().any(grants) { Ok(()) } else { Err(ErrorCode::NoAuth) }
}

fn is_for(entry: &Acl, identities: &[Identity]) -> bool {
    let mut same_scheme = identities.iter().filter(|identity| identity.scheme == entry.scheme);
    match entry.scheme.as_str() {
        "world" => entry.id == "anyone",
        "digest" => same_scheme.any(|identity| identity.id == entry.id),
        "ip" => same_scheme.any(|identity| ip::matches(&entry.id, &identity.id)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(permissions: i32, scheme: &str, id: &str) -> Acl {
        Acl { permissions, scheme: scheme.into(), id: id.into() }
    }

    fn who(scheme: &str, id: &str) -> Identity {
        Identity { scheme: scheme.into(), id: id.into() }
    }

    #[test]
    fn one_matching_acl_entry_grants_access() {
        let acl =
            [entry(READ, "world", "anyone"), entry(WRITE, "digest", "a:b"), entry(ADMIN, "ip", "10.0.0.0/8")];
        assert_eq!(check(&acl, READ, &[]), Ok(()));
        assert_eq!(check(&acl, WRITE, &[]), Err(ErrorCode::NoAuth));
        assert_eq!(check(&acl, WRITE, &[who("digest", "a:c")]), Err(ErrorCode::NoAuth));
        assert_eq!(check(&acl, WRITE, &[who("digest", "a:c"), who("digest", "a:b")]), Ok(()));
        assert_eq!(check(&acl, ADMIN, &[who("ip", "10.9.9.9")]), Ok(()));
        assert_eq!(check(&acl, ADMIN, &[who("digest", "10.9.9.9")]), Err(ErrorCode::NoAuth));
        assert_eq!(check(&acl, READ | ADMIN, &[]), Ok(()), "one of several permissions");
    }

    #[test]
    fn only_anyone_is_in_the_world_scheme() {
        assert_eq!(check(&[entry(ALL, "world", "someone")], READ, &[]), Err(ErrorCode::NoAuth));
    }

    #[test]
    fn an_empty_acl_allows_everything() {
        assert_eq!(check(&[], ADMIN, &[]), Ok(()));
    }
}
