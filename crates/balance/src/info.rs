//! What the value of an endpoint tells the balancer.

use std::sync::Arc;

/// What the value of an endpoint tells the balancer. Every fact has a default, so `impl EndpointInfo for Mine {}` is enough
/// for a value that tells nothing, and `()` is one.
///
/// ```
/// struct Server { weight: u32, zone: String }
///
/// impl balance::EndpointInfo for Server {
///     fn weight(&self) -> u32 { self.weight }
///     fn tag(&self, name: &str) -> Option<&str> { (name == "zone").then_some(&*self.zone) }
/// }
/// ```
///
/// The facts are read when the value is given to the balancer, not at every pick: a value that changes has to be given again.
pub trait EndpointInfo {
    /// Returns its share of the calls relative to the others', 100 by default. 0 means: no new calls, whatever the strategy.
    fn weight(&self) -> u32 {
        100
    }

    /// Returns the value of a tag, such as its zone.
    fn tag(&self, _name: &str) -> Option<&str> {
        None
    }

    /// Returns a number that tells one start of the process from the next; `None` if it is not known. Health does not
    /// pass from one incarnation to another.
    fn incarnation(&self) -> Option<u128> {
        None
    }

    /// Returns whether it finishes what it has and wants no new calls.
    fn is_draining(&self) -> bool {
        false
    }

    /// Returns whether it is in the set only because its disappearance is not believed yet: it is called when no other
    /// is in service.
    fn is_held(&self) -> bool {
        false
    }
}

impl EndpointInfo for () {}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: EndpointInfo + ?Sized> EndpointInfo for $pointer {
            fn weight(&self) -> u32 {
                (**self).weight()
            }
            fn tag(&self, name: &str) -> Option<&str> {
                (**self).tag(name)
            }
            fn incarnation(&self) -> Option<u128> {
                (**self).incarnation()
            }
            fn is_draining(&self) -> bool {
                (**self).is_draining()
            }
            fn is_held(&self) -> bool {
                (**self).is_held()
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
