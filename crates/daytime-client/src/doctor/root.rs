//! The steps `root`, `rights` and `instances`: does the root exist, may the client list it, and what is registered?

use std::time::Duration;

use instance::{Endpoint, Format, Plain};
use tokio::time::timeout;
use zk_core::{Connection, Error, ErrorKind, ZnodePath};

use super::report::{Begun, Step};

const DEADLINE: Duration = Duration::from_secs(5);

/// How many names of other children are printed.
const SHOWN: usize = 3;

/// Checks whether the root exists.
pub(super) async fn exists(connection: &Connection, root: &ZnodePath) -> (Step, bool) {
    let begun = Begun::new("root", root);
    let look = async {
        // The server may lag behind the others of the ensemble.
        connection.sync(root).await?;
        connection.stat(root).await
    };
    match timeout(DEADLINE, look).await {
        Ok(Ok(Some(stat))) => (begun.fine(format!("exists, with {} children", stat.num_children)), true),
        Ok(Ok(None)) => {
            let hint = format!(
                "no server is registered under {root}: is it the root (and the chroot) that the servers use? \
                 The first daytime-server to register creates it"
            );
            (begun.failed("does not exist", hint), false)
        }
        Ok(Err(error)) => (failed(begun, root, &error), false),
        Err(_) => (begun.failed(format!("no reply within {DEADLINE:?}"), silent()), false),
    }
}

/// Lists the children; `None` if that failed.
pub(super) async fn list(connection: &Connection, root: &ZnodePath) -> (Step, Option<Vec<String>>) {
    let begun = Begun::new("rights", root);
    match timeout(DEADLINE, connection.children(root)).await {
        Ok(Ok((names, _))) => (begun.fine("the list can be read"), Some(names)),
        Ok(Err(error)) => (failed(begun, root, &error), None),
        Err(_) => (begun.failed(format!("no reply within {DEADLINE:?}"), silent()), None),
    }
}

/// Separates the instances from other children: each with the name of its znode.
pub(super) fn instances(root: &ZnodePath, names: Vec<String>) -> (Step, Vec<(Endpoint, String)>) {
    let begun = Begun::new("instances", root);
    let (mut endpoints, mut others) = (Vec::new(), Vec::new());
    for name in names {
        match Plain.decode_name(&name) {
            Ok(Some(endpoint)) => endpoints.push((endpoint, name)),
            Ok(None) | Err(_) => others.push(name),
        }
    }
    endpoints.sort();
    // Other programs may register one endpoint in several spellings.
    endpoints.dedup_by(|(one, _), (other, _)| one == other);
    others.sort();
    let skipped = match others.len() {
        0 => String::new(),
        count => {
            let more = if count > SHOWN { ", ..." } else { "" };
            let shown: Vec<_> = others.iter().take(SHOWN).map(|name| format!("{name:.60?}")).collect();
            format!("; {count} other names are skipped ({}{more})", shown.join(", "))
        }
    };
    let what = format!("{} registered{skipped}", endpoints.len());
    let step = if endpoints.is_empty() {
        let hint = format!(
            "no server is registered under {root}: is a daytime-server running, with the same hosts and root? \
             Its log says what it waits for"
        );
        begun.failed(what, hint)
    } else {
        begun.fine(what)
    };
    (step, endpoints)
}

pub(super) fn failed(begun: Begun, root: &ZnodePath, error: &Error) -> Step {
    let hint = match error.kind() {
        ErrorKind::Denied => format!(
            "the ACL of {root} does not let this client read: set a user with that right in [zookeeper.auth], or \
             change the ACL (zkCli.sh: getAcl {root})"
        ),
        ErrorKind::NoNode => format!("{root} was deleted a moment ago: try again"),
        ErrorKind::Timeout(_)
        | ErrorKind::ConnectionLost(_)
        | ErrorKind::NotConnected
        | ErrorKind::SessionOver => silent(),
        _ => "nothing more is known about this error: see the log of the server".into(),
    };
    begun.failed(error.kind().to_string(), hint)
}

pub(super) fn silent() -> String {
    "the connection broke or the server stalled after it had granted the session: see the log of the server"
        .into()
}
