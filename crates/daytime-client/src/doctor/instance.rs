//! Does an instance answer?

use daytime_config::ClientSettings;
use instance::Endpoint;
use tokio::time::timeout;

use super::report::{Begun, Step};
use crate::connect;

/// Asks an instance for the time, as a round would, once.
pub(super) async fn call(endpoint: Endpoint, settings: &ClientSettings) -> Step {
    let begun = Begun::new("call", &endpoint);
    let limit = settings.attempt_timeout;
    match timeout(limit, connect::ask(&endpoint, settings.connect_timeout)).await {
        Ok(Ok(line)) => begun.fine(format!("answers {line:?}")),
        Ok(Err(error)) if error.is_refused() => begun.failed(
            error.to_string(),
            format!(
                "nobody listens at {endpoint}: its server may have died a moment ago, and stays listed until its \
                 session ends; if it stays longer, the registration is another's, or a persistent znode"
            ),
        ),
        Ok(Err(error)) => begun.failed(
            error.to_string(),
            format!("is {endpoint} the address that this machine should call? See --advertise of daytime-server"),
        ),
        Err(_) => begun.failed(
            format!("no answer within {limit:?}"),
            format!("something accepts connections at {endpoint} and says nothing: is it a daytime-server?"),
        ),
    }
}
