//! What to do about what is there: the rules of ownership, without I/O.

use instance::Owner;
use zk_core::{SessionId, Stat, Zxid};

use crate::status::Holder;

/// A znode that stands in our place.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) stat: Stat,
    /// Who wrote it, as far as its data tells; not asked if the data is known to be what we wrote.
    pub(crate) owner: Option<Owner>,
    /// Whether its data is what ours should be.
    pub(crate) data_is_ours: bool,
}

/// Us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// What our znodes say about us.
    pub(crate) owner: &'a Owner,
    /// The session of the connection in use.
    pub(crate) session: SessionId,
    /// The caller holds the listening socket, so nobody else serves this address here.
    pub(crate) vouched: bool,
    /// The znode that we are known to have created.
    pub(crate) created: Option<Zxid>,
    /// We have held the name before: whoever has it now took it after us.
    pub(crate) held_before: bool,
}

/// What to do about a znode in our place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// It is ours, and as it should be.
    Keep,
    /// It is ours, with other data.
    Rewrite,
    /// It is a stale one of ours, and would go with its old session.
    TakeOver,
    /// It is somebody else's.
    Leave(Holder),
}

pub(crate) fn decide(found: &Found, us: Claim<'_>) -> Decision {
    let Some(session) = found.stat.ephemeral_owner else {
        // We write none of these, whatever the data says.
        return Decision::Leave(Holder { session: None, owner: found.owner.clone() });
    };
    let same_incarnation = found.owner.as_ref().map(|owner| owner.incarnation() == us.owner.incarnation());
    if session == us.session {
        // Written over with somebody else's record, by hand: it is still ours.
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
        (Some(owner), _) => us.vouched && !us.held_before && us.owner.same_place(owner),
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

    fn check(found: &Found, vouched: bool, held_before: bool) -> Decision {
        let us = owner(1);
        decide(found, Claim { owner: &us, session: OURS, vouched, created: Some(Zxid(5)), held_before })
    }

    fn left(decision: Decision) -> bool {
        matches!(decision, Decision::Leave(_))
    }

    #[test]
    fn keeps_or_mends_what_our_session_owns() {
        assert_eq!(check(&found(Some(OURS), Some(owner(1)), true), false, true), Decision::Keep);
        assert_eq!(check(&found(Some(OURS), Some(owner(1)), false), false, true), Decision::Rewrite);
        assert_eq!(
            check(&found(Some(OURS), None, false), false, true),
            Decision::Rewrite,
            "overwritten by hand"
        );
    }

    #[test]
    fn leaves_another_registrar_of_the_same_session_alone() {
        assert!(left(check(&found(Some(OURS), Some(owner(2)), false), true, false)));
    }

    #[test]
    fn mends_its_own_znode_whatever_was_written_over_it() {
        let mut copied = found(Some(OURS), Some(owner(2)), false);
        copied.stat.czxid = Zxid(5);
        assert_eq!(check(&copied, false, true), Decision::Rewrite);
    }

    #[test]
    fn takes_over_what_an_earlier_session_of_ours_wrote() {
        assert_eq!(check(&found(Some(OTHER), Some(owner(1)), true), false, true), Decision::TakeOver);
    }

    #[test]
    fn takes_over_a_predecessor_at_the_same_place_once_and_only_if_vouched_for() {
        let predecessor = found(Some(OTHER), Some(owner(2)), false);
        assert_eq!(check(&predecessor, true, false), Decision::TakeOver);
        assert!(left(check(&predecessor, false, false)), "not vouched for");
        assert!(left(check(&predecessor, true, true)), "it took the name from us");
    }

    #[test]
    fn leaves_every_other_place_alone() {
        for stranger in [
            owner(2).with_host("x"),
            owner(2).with_boot_id("x"),
            owner(2).with_netns(2),
            owner(2).with_bound("127.0.0.1:81".parse().unwrap()),
            Owner::new(Incarnation::from_u128(2)),
        ] {
            assert!(
                left(check(&found(Some(OTHER), Some(stranger.clone()), false), true, false)),
                "{stranger:?}"
            );
        }
        assert!(left(check(&found(Some(OTHER), None, false), true, false)), "no owner told");
    }

    #[test]
    fn leaves_persistent_znodes_alone_even_with_our_incarnation() {
        assert!(left(check(&found(None, Some(owner(1)), true), true, false)));
    }
}
