//! A server that registers once, when it starts, and never looks again: the negative control. Its link is ours, so that what it
//! lacks is only that it keeps itself registered.

use oracle::{Data, What};
use tokio::net::TcpListener;
use zk_core::{Acl, Connection, ErrorKind, ZnodePath};
use zk_program::Signals;
use zk_roster::Zk;
use zk_testing::raw;

use crate::child::{Child, Failed};
use crate::server::serve;
use crate::settings::ROOT;

/// What it registers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A znode that ends with its session.
    Ephemeral,
    /// A znode that stays, as the tutorial's server makes it.
    Persistent,
}

pub(crate) async fn run(
    child: &Child,
    zk: &Zk,
    listener: TcpListener,
    name: String,
    kind: Kind,
    mut stop: Signals,
) -> Result<(), Failed> {
    let data = Data { weight: Some(100), draining: false, incarnation: None };
    child.recorder.record(What::Wanted { process: child.name.clone(), name: name.clone(), data });
    let path = ZnodePath::parse(&format!("{ROOT}/{name}"))?;
    let accepting = serve(listener, name.clone());
    let registering = async {
        loop {
            let connection = zk.connected().await?;
            match register(&connection, &path, kind).await {
                // Whoever made it: it is there, so all must be well.
                Ok(()) => return Ok::<(), Failed>(()),
                Err(_) => connection.ended().await,
            }
        }
    };
    tokio::select! {
        registered = registering => {
            registered?;
            stop.stop().await;
        }
        _ = stop.stop() => {}
    }
    child.recorder.record(What::Unwanted { process: child.name.clone(), name });
    accepting.abort();
    Ok(())
}

async fn register(connection: &Connection, path: &ZnodePath, kind: Kind) -> Result<(), Failed> {
    // So that the walk knows whose it is.
    let data = format!(r#"{{"Weight":100,"Tags":{{"owner.pid":"{}"}}}}"#, std::process::id()).into_bytes();
    connection.ensure_path(&ZnodePath::parse(ROOT)?, Acl::Open).await?;
    let created = match kind {
        Kind::Ephemeral => connection.create_ephemeral(path, &data, Acl::Open).await.map(drop),
        Kind::Persistent => {
            // The link makes ephemeral znodes only.
            let server = connection.server().ok_or("no server")?.parse()?;
            let client = raw::Client::connect(server, connection.session().timeout).await?;
            match client.create(path.as_str(), &data, raw::CreateMode::Persistent).await {
                Ok(_) | Err(raw::Error::NodeExists) => {}
                Err(error) => return Err(error.into()),
            }
            return Ok(client.close().await?);
        }
    };
    match created {
        Err(error) if *error.kind() != ErrorKind::NodeExists => Err(error.into()),
        _ => Ok(()),
    }
}
