//! An error of any type, classified by its causes.

use std::error::Error;
use std::fmt;
use std::io;

use balance::{Classify, Failure};
use tower::BoxError;

use super::causes::io_error;

/// Gives a boxed error, as the layers of tower return it, what a [`Balanced`](super::Balanced) asks of the errors of its connections. It
/// is classified by the last [`io::Error`] in its chain of sources. Without one it says nothing about the endpoint, and may have
/// had an effect.
///
/// ```
/// # fn example<S: tower::Service<u8, Error = tower::BoxError>>(connection: S) {
/// use tower::ServiceBuilder;
/// use zk_roster::tower::Classified;
///
/// let connection = ServiceBuilder::new().map_err(Classified::new::<tower::BoxError>).service(connection);
/// # }
/// ```
pub struct Classified(BoxError);

impl Classified {
    /// Classifies an error.
    pub fn new<E: Into<BoxError>>(error: E) -> Self {
        Self(error.into())
    }

    /// Returns the error.
    #[must_use]
    pub fn into_inner(self) -> BoxError {
        self.0
    }

    fn io(&self) -> Option<&io::Error> {
        io_error(&*self.0)
    }
}

impl Classify for Classified {
    fn failure(&self) -> Option<Failure> {
        self.io().and_then(Classify::failure)
    }
}

impl fmt::Debug for Classified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Classified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Classified {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn the_cause_says_what_it_is() {
        let of = |kind: io::ErrorKind| Classified::new(Wrapped(kind.into()));
        let refused = of(io::ErrorKind::ConnectionRefused);
        assert_eq!((refused.failure(), refused.had_no_effect()), (Some(Failure::Refused), true));
        let reset = of(io::ErrorKind::ConnectionReset);
        assert_eq!((reset.failure(), reset.had_no_effect()), (Some(Failure::Reset), false));
        let unknown = Classified::new("no idea");
        assert_eq!((unknown.failure(), unknown.had_no_effect()), (None, false));
        assert_eq!(reset.to_string(), "wrapped");
    }
}
