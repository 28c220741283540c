//! The attempts of a request.

use std::sync::Arc;

use balance::{CallError, Classify, Failure};
use instance::Endpoint;
use parking_lot::Mutex;
use reqwest::{Request, Response, Url, header};

use super::error::{HttpError, What};
use super::pools::Pools;
use crate::client::Callee;

/// A request that is about to be sent.
pub(super) enum Outgoing {
    Repeatable(Repeatable),
    Once(Once),
}

impl Outgoing {
    pub(super) fn new(pools: Pools, request: Request) -> Self {
        let last = Last::default();
        match request.try_clone() {
            Some(_) => Self::Repeatable(Repeatable { pools, request: Arc::new(request), last }),
            None => Self::Once(Once { pools, request: Some(Box::new(request)), last }),
        }
    }
}

/// A request that can be sent again, and the last answer that said that the instance cannot serve.
#[derive(Clone)]
pub(super) struct Repeatable {
    pools: Pools,
    request: Arc<Request>,
    pub(super) last: Last,
}

impl Repeatable {
    pub(super) async fn run(self, callee: Callee) -> Result<Response, HttpError> {
        let last = self.last.clone();
        self.send(&callee, &last).await
    }

    /// As [`run`](Self::run), but a trial is made beside the call, which does not see its answer.
    pub(super) async fn beside_others(self, callee: Callee) -> Result<Response, HttpError> {
        let last = if callee.target().is_trial() { Last::default() } else { self.last.clone() };
        self.send(&callee, &last).await
    }

    async fn send(&self, callee: &Callee, last: &Last) -> Result<Response, HttpError> {
        let request = self.request.try_clone().ok_or_else(|| HttpError::new(What::Spent, true))?;
        send(&self.pools, request, callee, last, false).await
    }
}

/// A request that can be sent only once.
pub(super) struct Once {
    pools: Pools,
    request: Option<Box<Request>>,
    pub(super) last: Last,
}

impl Once {
    pub(super) fn run(
        &mut self,
        callee: Callee,
    ) -> impl Future<Output = Result<Response, HttpError>> + use<> {
        let (pools, request, last) = (self.pools.clone(), self.request.take(), self.last.clone());
        async move {
            let request = request.ok_or_else(|| HttpError::new(What::Spent, true))?;
            send(&pools, *request, &callee, &last, true).await
        }
    }
}

/// The last answer of a call that said that the instance cannot serve. An earlier one is dropped, with what was not read of it.
#[derive(Clone, Default)]
pub(super) struct Last(Arc<Mutex<Option<Response>>>);

impl Last {
    /// The answer of the last attempt in the place of the error, if there was one.
    pub(super) fn or(
        &self,
        result: Result<Response, CallError<Endpoint, HttpError>>,
    ) -> Result<Response, CallError<Endpoint, HttpError>> {
        result.or_else(|error| {
            let last = error.attempts().last().and_then(|attempt| attempt.error.as_ref());
            match last.and_then(HttpError::status) {
                Some(_) => self.0.lock().take().ok_or(error),
                None => Err(error),
            }
        })
    }
}

async fn send(
    pools: &Pools,
    mut request: Request,
    callee: &Callee,
    last: &Last,
    is_last: bool,
) -> Result<Response, HttpError> {
    let failed = |what| HttpError::new(what, is_last);
    readdress(&mut request, callee.endpoint()).ok_or_else(|| failed(What::Host))?;
    let client = pools.client(callee.endpoint()).map_err(|error| failed(What::Sending(error)))?;
    let url = request.url().clone();
    let response = client.execute(request).await.map_err(|error| failed(What::Sending(error)))?;
    let Some(failure) = failure(&response).filter(|_| !is_redirected(&url, response.url())) else {
        return Ok(response);
    };
    let status = response.status();
    let before = last.0.lock().replace(response);
    drop(before);
    Err(failed(What::Answer(status, failure)))
}

/// Makes a URL lead to an endpoint. `None` if its host cannot stand in a URL.
fn readdress(request: &mut Request, endpoint: &Endpoint) -> Option<()> {
    let url = request.url_mut();
    if url.cannot_be_a_base() {
        // reqwest refuses it, and says why.
        return Some(());
    }
    match endpoint.host().ip() {
        Some(address) => url.set_ip_host(address).ok()?,
        None => url.set_host(Some(&endpoint.host().to_string())).ok()?,
    }
    url.set_port(Some(endpoint.port())).ok()
}

/// Whether reqwest followed a redirect: then the instance has served the request, whatever came of it elsewhere. An answer does not
/// tell the fragment.
fn is_redirected(sent: &Url, answered: &Url) -> bool {
    let differs = |part: fn(&Url) -> Option<&str>| part(sent) != part(answered);
    sent.port_or_known_default() != answered.port_or_known_default()
        || differs(Url::host_str)
        || differs(|url| Some(url.path()))
        || differs(Url::query)
}

/// How the instance failed, if its answer is one of those that say so.
fn failure(response: &Response) -> Option<Failure> {
    let failure = response.error_for_status_ref().err()?.failure()?;
    // Without it nobody knows how far the request came.
    let says_when = response.headers().contains_key(header::RETRY_AFTER);
    Some(if response.status() == 503 && says_when { Failure::Overloaded } else { failure })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn what_was_sent_is_no_redirect_however_it_is_spelled() {
        let sent = url("http://a/b?c");
        for other in
            ["http://a:81/b?c", "http://z/b?c", "http://a/z?c", "http://a/b?z", "http://a/b", "https://a/b?c"]
        {
            assert!(is_redirected(&sent, &url(other)), "{other}");
        }
        for text in ["http://a", "http://a:80/?", "http://u:p@a/b#c", "http://[::1]:8/%7E/ü?q=ä|{}'\"#f"] {
            let sent = url(text);
            // As reqwest tells it.
            let uri: http::Uri = sent.as_str().parse().unwrap();
            assert!(!is_redirected(&sent, &url(&uri.to_string())), "{text}");
        }
    }
}
