//! The step `watch`: which kind of watch does the server support?

use std::time::Duration;

use tokio::time::timeout;
use zk_core::{Connection, ZnodePath};

use super::report::{Begun, Step};
use super::root;

const DEADLINE: Duration = Duration::from_secs(5);

/// Sets a watch as `discovery` does, and reports what a change costs. A server that refuses recursive watches is no
/// failure: discovery uses one-shot watches there.
pub(super) async fn set(connection: &Connection, path: &ZnodePath) -> Step {
    let begun = Begun::new("watch", path);
    if !connection.has_recursive_watches() {
        return begun.fine("one-shot, as the server is older than 3.6: each change costs a list");
    }
    match timeout(DEADLINE, connection.watch_recursive(path)).await {
        Ok(Ok(_watch)) => begun.fine("recursive: a change costs one event"),
        Ok(Err(error)) if error.kind().is_refusal() => begun.fine(format!(
            "one-shot, as the server refuses recursive ones ({}): each change costs a list; ZooKeeper does so with \
             watchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized",
            error.kind()
        )),
        Ok(Err(error)) => root::failed(begun, path, &error),
        Err(_) => begun.failed(format!("no reply within {DEADLINE:?}"), root::silent()),
    }
}
