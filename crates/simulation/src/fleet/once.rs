//! Servers that show that the oracle sees what is wrong: each creates its znode once, and does nothing more.

use instance::{Format, Instance, Plain};
use tokio::time::sleep;
use zk_core::{Acl, Connection, Error, Zk, ZnodePath};

use super::ROOT;
use crate::plan::ServerKind;

/// How long it waits after a failure.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// The record of an instance at an endpoint.
pub(super) fn instance(endpoint: &str, weight: u32) -> Vec<u8> {
    let endpoint = endpoint.parse().expect("an endpoint");
    Plain.encode(&Instance::new(endpoint).with_weight(weight)).expect("a small record").data
}

/// Creates the znode, as soon as that succeeds.
pub(super) async fn create(zk: Zk, kind: ServerKind, name: String, data: Vec<u8>) {
    let root = ZnodePath::parse(ROOT).expect("a path");
    let path = root.join(&name).expect("a name");
    while let Ok(connection) = zk.connected().await {
        if try_once(&connection, kind, &root, &path, &data).await.is_ok() {
            return;
        }
        sleep(PAUSE).await;
    }
}

async fn try_once(
    connection: &Connection,
    kind: ServerKind,
    root: &ZnodePath,
    path: &ZnodePath,
    data: &[u8],
) -> Result<(), Error> {
    connection.ensure_path(root, Acl::Open).await?;
    if kind == ServerKind::OncePersistent {
        // An empty znode, and then its data: there is no other way to a persistent one.
        connection.ensure_path(path, Acl::Open).await?;
        return connection.set_data(path, data, None).await.map(drop);
    }
    connection.create_ephemeral(path, data, Acl::Open).await.map(drop)
}
