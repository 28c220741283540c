//! The step `call`: does an instance answer?

use daytime_config::ClientSettings;
use instance::Endpoint;
use tokio::time::timeout;

use super::cause::Cause;
use super::report::{Begun, Step};
use crate::connect::{self, AttemptError};

/// Calls an instance once, as a round would.
pub(super) async fn call(endpoint: Endpoint, settings: &ClientSettings) -> Step {
    let begun = Begun::new("call", &endpoint);
    let limit = settings.attempt_timeout;
    match timeout(limit, connect::request(&endpoint, settings.connect_timeout)).await {
        Ok(Ok(line)) => begun.fine(format!("answers {line:?}")),
        Ok(Err(error)) => begun.failed(error.to_string(), hint(&error, &endpoint)),
        Err(_) => begun.failed(
            format!("no answer within {limit:?}"),
            format!("{endpoint} accepts connections but sends nothing: is it a daytime-server?"),
        ),
    }
}

fn hint(error: &AttemptError, endpoint: &Endpoint) -> String {
    if error.is_refused() {
        return format!(
            "nobody listens at {endpoint}: its server may have died a moment ago, and stays listed until its session \
             ends. If it stays longer, another process keeps it registered, or the znode is persistent"
        );
    }
    let address = || {
        format!("is {endpoint} the address that this machine should call? See --advertise of daytime-server")
    };
    match error {
        AttemptError::Resolve(error) | AttemptError::Connect(error) => {
            match Cause::of(error).hint(endpoint) {
                Some(hint) => format!("{hint}; {}", address()),
                None => address(),
            }
        }
        AttemptError::ConnectTimeout(_) => format!("no response from {endpoint}; {}", address()),
        AttemptError::Read(_) => {
            format!("{endpoint} accepts connections and closes them: see the log of the program there")
        }
        AttemptError::Answer(_) => format!(
            "{endpoint} accepts connections but does not send the time: is it a daytime-server, and is it below its \
             limit of connections (server.max_connections)?"
        ),
    }
}
