//! The causes of system errors that have a single cause.

use std::io;

/// Why a connection fails or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The other machine responds, and no process listens there.
    NobodyListens,
    /// There is no route.
    NoWay,
    /// Nothing responds.
    Silence,
    /// This machine forbids the connection.
    Forbidden,
    /// This machine has no address, or no free port, to connect from.
    NoSource,
    /// The other side accepted the connection, then closed it. Even a connect may fail so, if the close is faster.
    Ended,
    /// The error has several possible causes.
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

    /// What to look at when a connection to `address` fails; `None` for an unknown cause.
    pub(super) fn hint(self, address: impl std::fmt::Display) -> Option<String> {
        Some(match self {
            Self::NobodyListens => format!("nobody listens at {address}"),
            Self::NoWay => {
                format!("there is no route from this machine to {address}: check routes and firewalls")
            }
            Self::Silence => {
                format!("no response from {address}: a firewall drops packets, or the host is down")
            }
            Self::Forbidden => format!(
                "this machine forbids a connection to {address}: check its firewall rules, and the sandbox of this \
                 program"
            ),
            Self::NoSource => {
                format!("this machine has no address, or no free port, to connect to {address} from")
            }
            Self::Ended => {
                format!("{address} accepts connections and closes them: see the log of the program there")
            }
            Self::Unknown => return None,
        })
    }
}

/// The hint for an error without a single cause.
pub(super) fn unknown() -> String {
    "nothing more is known about this error of the system".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_with_a_single_cause_get_a_hint() {
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
