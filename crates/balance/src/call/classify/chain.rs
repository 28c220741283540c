//! What lies below an error.

use std::error::Error;
use std::{io, iter};

use super::Classify;
use crate::failure::Failure;

/// Finds the first error of a type below another one.
///
/// An `io::Error` that wraps an error names as its source not that one but the source of that one: it is looked into.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    iter::successors(below(error), |one| below(*one)).find_map(|one| one.downcast_ref())
}

fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// What an error says that came before there was a connection: nothing of the operation was sent.
///
/// What is short on this side (file descriptors, ports) or forbidden here (by a firewall) says nothing about the endpoint.
/// Everything else, such as a timeout, an unknown name or a certificate that is not accepted, means that it cannot be reached.
pub(super) fn while_connecting(error: &(dyn Error + 'static)) -> Option<Failure> {
    match find::<io::Error>(error) {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => Some(Failure::Refused),
        Some(error) if error.raw_os_error().is_some() && error.failure().is_none() => None,
        _ => Some(Failure::Unreachable),
    }
}

/// What an error of a connection that was established says. A host that became unreachable in the midst of a call may have
/// done what it was asked for.
pub(super) fn once_connected(error: &io::Error) -> Failure {
    match error.failure() {
        Some(Failure::Refused | Failure::Unreachable) | None => Failure::Reset,
        Some(failure) => failure,
    }
}
