//! The step `call`: does an instance answer, and does it want to be called?

use daytime_config::ClientSettings;
use instance::{Endpoint, Format, Plain};
use tokio::time::timeout;
use zk_core::{Connection, ZnodePath};
use zk_roster::DialError;

use super::cause::Cause;
use super::report::{Begun, Step};
use crate::connect::{self, AttemptError};

/// What is needed to call instances.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) connection: &'a Connection,
    pub(super) root: &'a ZnodePath,
    pub(super) settings: &'a ClientSettings,
}

impl Caller<'_> {
    /// Calls an instance once, as a round would.
    pub(super) async fn call(&self, (endpoint, name): (Endpoint, String)) -> Step {
        let is_draining = self.is_draining(&name).await;
        let begun = Begun::new("call", &endpoint);
        let limit = self.settings.attempt_timeout;
        let call = connect::request(&endpoint, self.settings.connect_timeout);
        match timeout(limit, call).await {
            Ok(Ok(line)) => begun.fine(match is_draining {
                true => format!("answers {line:?}; it is draining: who reads its record calls another one"),
                false => format!("answers {line:?}"),
            }),
            Ok(Err(error)) => begun.failed(error.to_string(), hint(&error, &endpoint)),
            Err(_) => begun.failed(
                format!("no answer within {limit:?}"),
                format!("{endpoint} accepts connections but sends nothing: is it a daytime-server?"),
            ),
        }
    }

    /// Whether the record says so. A client calls all the same where it cannot read that.
    async fn is_draining(&self, name: &str) -> bool {
        let Ok(path) = self.root.join(name) else { return false };
        match timeout(self.settings.attempt_timeout, self.connection.data(&path)).await {
            Ok(Ok((data, _))) => {
                Plain.decode(name, &data).is_ok_and(|decoded| decoded.instance.is_draining())
            }
            Ok(Err(_)) | Err(_) => false,
        }
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
        AttemptError::Dial(DialError::Resolve(_)) => {
            format!("this machine does not know {}: check its name service; {}", endpoint.host(), address())
        }
        AttemptError::Dial(DialError::Connect(error)) => match Cause::of(error).hint(endpoint) {
            Some(hint) => format!("{hint}; {}", address()),
            None => address(),
        },
        AttemptError::Dial(_) => format!("no response from {endpoint}; {}", address()),
        AttemptError::Read(_) => {
            format!("{endpoint} accepts connections and closes them: see the log of the program there")
        }
        AttemptError::Answer(_) => format!(
            "{endpoint} accepts connections but does not send the time: is it a daytime-server, and is it below its \
             limit of connections (server.max_connections)?"
        ),
    }
}
