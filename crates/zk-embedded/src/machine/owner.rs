/// For how long a znode lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Until it is deleted.
    Persistent,
    /// As long as a session.
    Session(i64),
    /// Until it has had children and the last one has gone.
    Container,
    /// Until it has had no children and no writes for as many milliseconds.
    Ttl(i64),
}

/// The longest time to live: what fits into the 40 bits that Apache ZooKeeper has for it.
const MAX_TTL_MS: i64 = 0xff_ffff_ffff;

impl Owner {
    /// Checks a time to live in milliseconds.
    pub(super) fn ttl(ttl_ms: i64) -> Option<Self> {
        (1..=MAX_TTL_MS).contains(&ttl_ms).then_some(Self::Ttl(ttl_ms))
    }

    /// Returns what a stat shows.
    ///
    /// Apache ZooKeeper keeps containers (the lowest number) and times to live (behind a highest byte of ones) in the same
    /// field, but shows clients 0 for both.
    pub(super) fn shown(self) -> i64 {
        match self {
            Self::Session(session) => session,
            Self::Persistent | Self::Container | Self::Ttl(_) => 0,
        }
    }

    /// Returns whether there may be no children.
    pub(super) fn is_session(self) -> bool {
        matches!(self, Self::Session(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_shown_sessions_and_nothing_else() {
        let all = [Owner::Persistent, Owner::Session(7), Owner::Container, Owner::Ttl(5)];
        assert_eq!(all.map(Owner::shown), [0, 7, 0, 0]);
    }

    #[test]
    fn a_ttl_is_positive_and_has_40_bits() {
        assert_eq!([-1, 0, 1 << 40, i64::MAX].map(Owner::ttl), [None; 4]);
        assert_eq!(Owner::ttl(1), Some(Owner::Ttl(1)));
        assert_eq!(Owner::ttl((1 << 40) - 1), Some(Owner::Ttl((1 << 40) - 1)));
    }
}
