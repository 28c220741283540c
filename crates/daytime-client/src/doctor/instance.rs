//! Does an instance answer?

use daytime_config::ClientSettings;
use instance::Endpoint;
use tokio::time::timeout;

use super::cause::Cause;
use super::report::{Begun, Step};
use crate::connect::{self, AttemptError};

/// Asks an instance for the time, as a round would, once.
pub(super) async fn call(endpoint: Endpoint, settings: &ClientSettings) -> Step {
    let begun = Begun::new("call", &endpoint);
    let limit = settings.attempt_timeout;
    match timeout(limit, connect::ask(&endpoint, settings.connect_timeout)).await {
        Ok(Ok(line)) => begun.fine(format!("answers {line:?}")),
        Ok(Err(error)) => begun.failed(error.to_string(), hint(&error, &endpoint)),
        Err(_) => begun.failed(
            format!("no answer within {limit:?}"),
            format!("something accepts connections at {endpoint} and says nothing: is it a daytime-server?"),
        ),
    }
}

fn hint(error: &AttemptError, endpoint: &Endpoint) -> String {
    if error.is_refused() {
        return format!(
            "nobody listens at {endpoint}: its server may have died a moment ago, and stays listed until its \
             session ends; if it stays longer, the registration is another's, or a persistent znode"
        );
    }
    let address = || {
        format!("is {endpoint} the address that this machine should call? See --advertise of daytime-server")
    };
    match error {
        AttemptError::Connect(error) => match Cause::of(error).hint(endpoint) {
            Some(hint) => format!("{hint}; {}", address()),
            None => address(),
        },
        AttemptError::ConnectTimeout(_) => format!("nothing comes back from {endpoint}; {}", address()),
        AttemptError::Read(_) => {
            format!("{endpoint} accepts connections and ends them: see the log of what runs there")
        }
        AttemptError::Answer(_) => format!(
            "something accepts connections at {endpoint} and gives no time: is it a daytime-server, and has it \
             room for more connections (server.max_connections)?"
        ),
    }
}
