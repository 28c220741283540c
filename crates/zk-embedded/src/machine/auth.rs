//! Identities: how clients prove them, and how an ACL that is about to be set refers to them.

use super::{digest, ip};
use crate::Version;
use zk_wire::{Acl, ErrorCode};

/// An identity that a client has proved on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) scheme: String,
    pub(super) id: String,
}

impl Identity {
    /// Returns the identity that every connection has: its address.
    pub(super) fn of_peer(address: String) -> Self {
        Self { scheme: "ip".into(), id: address }
    }

    /// Checks the credentials of a client; `None` if the scheme is unknown, or they prove nothing.
    pub(super) fn prove(scheme: &str, data: Option<&[u8]>, address: &str) -> Option<Self> {
        match scheme {
            "digest" => Some(Self { scheme: scheme.into(), id: digest::identity(data?) }),
            "ip" => Some(Self::of_peer(address.into())),
            _ => None,
        }
    }

    /// Returns the part that is no secret.
    pub(super) fn user(&self) -> &str {
        match self.scheme.as_str() {
            "digest" => self.id.split(':').next().unwrap_or_default(),
            _ => &self.id,
        }
    }
}

/// Checks an ACL that is about to be set, replaces the scheme `auth` by the identities of its session, and removes
/// repetitions.
pub(super) fn resolve(
    acl: Option<Vec<Acl>>,
    identities: &[Identity],
    version: Version,
) -> Result<Vec<Acl>, ErrorCode> {
    if acl.is_none() && version == Version::V3_4 {
        // Without a list 3.4 fails here, and later releases do not.
        return Err(ErrorCode::MarshallingError);
    }
    let mut seen: Vec<Acl> = Vec::new();
    let mut resolved = Vec::new();
    for entry in acl.unwrap_or_default() {
        if seen.contains(&entry) {
            continue;
        }
        seen.push(entry.clone());
        match entry.scheme.as_str() {
            "auth" => {
                // An address is no authentication.
                let proved = identities.iter().filter(|identity| identity.scheme == "digest");
                let before = resolved.len();
                resolved.extend(proved.map(|Identity { scheme, id }| Acl {
                    permissions: entry.permissions,
                    scheme: scheme.clone(),
                    id: id.clone(),
                }));
                if resolved.len() == before {
                    return Err(ErrorCode::InvalidAcl);
                }
            }
            "world" if entry.id == "anyone" => resolved.push(entry),
            "digest" if digest::is_valid(&entry.id) => resolved.push(entry),
            "ip" if version == Version::V3_4 && entry.id.contains('/') => return Err(ErrorCode::InvalidAcl),
            "ip" if ip::is_valid(&entry.id) => resolved.push(entry),
            _ => return Err(ErrorCode::InvalidAcl),
        }
    }
    if resolved.is_empty() { Err(ErrorCode::InvalidAcl) } else { Ok(resolved) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(scheme: &str, id: &str) -> Acl {
        Acl { permissions: 31, scheme: scheme.into(), id: id.into() }
    }

    fn refused(acl: &[Acl], identities: &[Identity]) -> bool {
        resolve(Some(acl.to_vec()), identities, Version::V3_8) == Err(ErrorCode::InvalidAcl)
    }

    #[test]
    fn an_acl_has_entries_of_known_schemes_with_good_ids() {
        assert_eq!(resolve(None, &[], Version::V3_8), Err(ErrorCode::InvalidAcl));
        assert!(refused(&[], &[]));
        for bad in
            [entry("world", "all"), entry("digest", "a"), entry("ip", "x"), entry("super", ""), entry("", "")]
        {
            assert!(refused(&[entry("world", "anyone"), bad.clone()], &[]), "{bad:?}");
        }
        let good = vec![entry("world", "anyone"), entry("digest", "a:b"), entry("ip", "1.2.3.4/8")];
        assert_eq!(resolve(Some(good.clone()), &[], Version::V3_8), Ok(good));
    }

    #[test]
    fn auth_stands_for_all_identities_but_the_address() {
        let peer = Identity::of_peer("1.2.3.4".into());
        assert!(refused(&[entry("auth", "")], std::slice::from_ref(&peer)));
        let who = |user: &str| Identity { scheme: "digest".into(), id: format!("{user}:x") };
        let resolved =
            resolve(Some(vec![entry("auth", "ignored")]), &[peer, who("a"), who("b")], Version::V3_8);
        assert_eq!(resolved, Ok(vec![entry("digest", "a:x"), entry("digest", "b:x")]));
    }

    #[test]
    fn release_3_4_takes_no_networks_and_fails_without_a_list() {
        let network = || Some(vec![entry("ip", "1.2.3.4/8")]);
        assert_eq!(resolve(network(), &[], Version::V3_4), Err(ErrorCode::InvalidAcl));
        assert!(resolve(network(), &[], Version::V3_5).is_ok());
        assert_eq!(resolve(None, &[], Version::V3_4), Err(ErrorCode::MarshallingError));
    }

    #[test]
    fn repeated_acl_entries_are_removed() {
        let twice = vec![entry("world", "anyone"), entry("world", "anyone")];
        assert_eq!(resolve(Some(twice), &[], Version::V3_8), Ok(vec![entry("world", "anyone")]));
    }

    #[test]
    fn unknown_schemes_and_no_credentials_prove_nothing() {
        assert_eq!(Identity::prove("nonsense", Some(b"a:b"), "1.2.3.4"), None);
        assert_eq!(Identity::prove("world", Some(b"anyone"), "1.2.3.4"), None);
        assert_eq!(Identity::prove("digest", None, "1.2.3.4"), None);
        assert_eq!(Identity::prove("ip", None, "1.2.3.4").unwrap().user(), "1.2.3.4");
        assert_eq!(Identity::prove("digest", Some(b"user:secret"), "").unwrap().user(), "user");
    }
}
