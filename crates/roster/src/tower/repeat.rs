//! How a request is repeated.

/// How a request is repeated, if it is: [`Balanced::repeating`](super::Balanced::repeating). A closure
/// `Fn(&Req) -> Option<Req>` is one, too.
pub trait Repeat<Req> {
    /// Returns a copy for one attempt; the original is kept for the next. Without a copy the original itself is sent.
    fn copy(&self, request: &Req) -> Option<Req>;
}

/// Copies nothing. A request goes on elsewhere until a connection takes it, and then no more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Once;

impl<Req> Repeat<Req> for Once {
    fn copy(&self, _request: &Req) -> Option<Req> {
        None
    }
}

/// Clones every request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cloned;

impl<Req: Clone> Repeat<Req> for Cloned {
    fn copy(&self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

impl<Req, F: Fn(&Req) -> Option<Req>> Repeat<Req> for F {
    fn copy(&self, request: &Req) -> Option<Req> {
        self(request)
    }
}
