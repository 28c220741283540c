//! What an error of the system means, for those that mean one thing.

use std::io;

/// Why a connection does not come about, or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The other machine answers, and nobody listens there.
    NobodyListens,
    /// Packets do not get there.
    NoWay,
    /// Nothing comes back.
    Silence,
    /// This machine does not let us.
    Forbidden,
    /// This machine has no address, or no port, to call from.
    NoSource,
    /// The other side has ended it, after it accepted it. A connect, too, may fail by that: it learns of the end first.
    Ended,
    /// One of many things.
    Unknown,
}

impl Cause {
    pub(super) fn of(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::NobodyListens,
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Self::NoWay,
            Kind::TimedOut => Self::Silence,
            Kind::PermissionDenied => Self::Forbidden,
            Kind::AddrNotAvailable => Self::NoSource,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
                Self::Ended
            }
            _ => Self::Unknown,
        }
    }

    /// What to look at when `address` cannot be connected to; `None` where that would be guessing.
    pub(super) fn hint(self, address: impl std::fmt::Display) -> Option<String> {
        Some(match self {
            Self::NobodyListens => format!("nobody listens at {address}"),
            Self::NoWay => {
                format!("there is no way from this machine to {address}: check routes and firewalls")
            }
            Self::Silence => {
                format!("nothing comes back from {address}: a firewall may drop it, or the host is down")
            }
            Self::Forbidden => format!(
                "this machine itself forbids a connection to {address}: look at its firewall rules, and at the \
                 sandbox that this program may run in"
            ),
            Self::NoSource => {
                format!("this machine has no address, or no free port, from which to call {address}")
            }
            Self::Ended => {
                format!("{address} accepts connections and ends them: see the log of what runs there")
            }
            Self::Unknown => return None,
        })
    }
}

/// What is said where an error has no single explanation.
pub(super) fn unknown() -> String {
    "what the system says there is all that is known of the cause".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_that_mean_one_thing_are_explained() {
        use io::ErrorKind as Kind;
        let of = |kind: Kind| Cause::of(&kind.into());
        assert_eq!(of(Kind::ConnectionRefused), Cause::NobodyListens);
        assert_eq!(of(Kind::NetworkUnreachable), Cause::NoWay);
        assert_eq!(of(Kind::HostUnreachable), Cause::NoWay);
        for kind in [Kind::BrokenPipe, Kind::ConnectionReset, Kind::UnexpectedEof] {
            assert_eq!(of(kind), Cause::Ended, "{kind}");
        }
        for kind in [Kind::Other, Kind::OutOfMemory, Kind::InvalidInput, Kind::Interrupted] {
            assert_eq!((of(kind), of(kind).hint("zk1:2181")), (Cause::Unknown, None), "{kind}");
        }
    }
}
