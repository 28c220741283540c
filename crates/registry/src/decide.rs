//! The rules of ownership: decides, without I/O, what to do about a znode that exists.

use instance::Owner;
use zk_core::{SessionId, Stat, Zxid};

use crate::status::Holder;

/// A znode under our name.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) stat: Stat,
    /// The owner that its data names; ourselves if the data is known to be what we wrote.
    pub(crate) owner: Option<Owner>,
    /// Whether its data is our record.
    pub(crate) data_is_ours: bool,
}

/// What makes a znode ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// The owner that we write into our znodes.
    pub(crate) owner: &'a Owner,
    /// The session of the connection in use.
    pub(crate) session: SessionId,
    /// The caller owns the listening socket, so no other process serves this address here.
    pub(crate) vouched: bool,
    /// The znode that we are known to have created.
    pub(crate) created: Option<Zxid>,
    /// The name was ours before: another owner that has it now took it after us.
    pub(crate) registered_before: bool,
}

/// What to do about a znode under our name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// The znode is ours, with our record.
    Keep,
    /// The znode is ours, with other data.
    Rewrite,
    /// The znode is a stale one of ours, and would end with its old session.
    TakeOver,
    /// The znode belongs to another owner.
    Leave(Holder),
}

pub(crate) fn decide(found: &Found, us: Claim<'_>) -> Decision {
    let Some(session) = found.stat.ephemeral_owner else {
        // We create no persistent znodes, whatever owner the data names.
        return Decision::Leave(Holder { session: None, owner: found.owner.clone() });
    };
    let same_incarnation = found.owner.as_ref().map(|owner| owner.incarnation() == us.owner.incarnation());
    if session == us.session {
        // Overwritten by hand with another instance's record, the znode is still ours.
        let created_by_us = us.created == Some(found.stat.czxid);
        return match same_incarnation.filter(|_| !created_by_us) {
            // Another registrar that shares our session.
            Some(false) => Decision::Leave(Holder { session: Some(session), owner: found.owner.clone() }),
            _ if found.data_is_ours => Decision::Keep,
            _ => Decision::Rewrite,
        };
    }
    let stale = match (&found.owner, same_incarnation) {
        (_, Some(true)) => true,
        (Some(owner), _) => us.vouched && !us.registered_before && us.owner.same_place(owner),
        (None, _) => false,
    };
    if stale {
        Decision::TakeOver
    } else {
        Decision::Leave(Holder { session: Some(session), owner: found.owner.clone() })
    }
}

#[cfg(test)]
mod tests {
    use instance::Incarnation;

    use super::*;

    const OURS: SessionId = SessionId(7);
    const OTHER: SessionId = SessionId(8);

    fn owner(incarnation: u128) -> Owner {
        Owner::new(Incarnation::from_u128(incarnation))
            .with_host("a")
            .with_boot_id("b")
            .with_netns(1)
            .with_bound("127.0.0.1:80".parse().unwrap())
    }

    fn found(session: Option<SessionId>, owner: Option<Owner>, data_is_ours: bool) -> Found {
        let mut stat = Stat::default();
        stat.ephemeral_owner = session;
        Found { stat, owner, data_is_ours }
    }

    fn check(found: &Found, vouched: bool, registered_before: bool) -> Decision {
        let us = owner(1);
        let created = Some(Zxid(5));
        decide(found, Claim { owner: &us, session: OURS, vouched, created, registered_before })
    }

    fn is_left_alone(decision: Decision) -> bool {
        matches!(decision, Decision::Leave(_))
    }

    #[test]
    fn a_znode_of_our_session_is_kept_or_rewritten() {
        assert_eq!(check(&found(Some(OURS), Some(owner(1)), true), false, true), Decision::Keep);
        assert_eq!(check(&found(Some(OURS), Some(owner(1)), false), false, true), Decision::Rewrite);
        assert_eq!(
            check(&found(Some(OURS), None, false), false, true),
            Decision::Rewrite,
            "overwritten by hand"
        );
    }

    #[test]
    fn a_znode_of_another_registrar_in_our_session_is_left_alone() {
        assert!(is_left_alone(check(&found(Some(OURS), Some(owner(2)), false), true, false)));
    }

    #[test]
    fn a_znode_that_we_created_is_rewritten_whatever_its_data_says() {
        let mut copied = found(Some(OURS), Some(owner(2)), false);
        copied.stat.czxid = Zxid(5);
        assert_eq!(check(&copied, false, true), Decision::Rewrite);
    }

    #[test]
    fn a_znode_of_our_earlier_session_is_taken_over() {
        assert_eq!(check(&found(Some(OTHER), Some(owner(1)), true), false, true), Decision::TakeOver);
    }

    #[test]
    fn a_predecessor_at_the_same_place_is_taken_over_once_and_only_if_vouched_for() {
        let predecessor = found(Some(OTHER), Some(owner(2)), false);
        assert_eq!(check(&predecessor, true, false), Decision::TakeOver);
        assert!(is_left_alone(check(&predecessor, false, false)), "not vouched for");
        assert!(is_left_alone(check(&predecessor, true, true)), "it took the name after us");
    }

    #[test]
    fn a_znode_from_another_place_is_left_alone() {
        for stranger in [
            owner(2).with_host("x"),
            owner(2).with_boot_id("x"),
            owner(2).with_netns(2),
            owner(2).with_bound("127.0.0.1:81".parse().unwrap()),
            Owner::new(Incarnation::from_u128(2)),
        ] {
            assert!(
                is_left_alone(check(&found(Some(OTHER), Some(stranger.clone()), false), true, false)),
                "{stranger:?}"
            );
        }
        assert!(
            is_left_alone(check(&found(Some(OTHER), None, false), true, false)),
            "the data names no owner"
        );
    }

    #[test]
    fn a_persistent_znode_is_left_alone_even_with_our_incarnation() {
        assert!(is_left_alone(check(&found(None, Some(owner(1)), true), true, false)));
    }
}
