//! The command `list`: prints the instances that are registered now.

use std::time::Duration;

use daytime_config::ClientConfig;
use futures_util::{StreamExt, TryStreamExt, stream};
use instance::{Format, Instance, Plain};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use zk_core::{Connection, Error as ZkError, ErrorKind, Stat, Zk, ZnodePath};

use crate::error::Error;
use crate::link::{self, Link};
use crate::output::{line, print_error, tags};

/// Records that are read at one time.
const READS: usize = 64;

/// How long the command waits for ZooKeeper before it prints the state of the link.
const SILENT_WAIT: Duration = Duration::from_secs(1);

/// An instance under the root.
struct Row {
    instance: Instance,
    /// `None` if the ACL denies reading the znode.
    stat: Option<Stat>,
}

pub(crate) async fn run(config: ClientConfig, as_json: bool, link: &Link) -> Result<(), Error> {
    let zk = link.start(&config.zookeeper)?;
    tokio::select! {
        outcome = print(zk, config.discovery.root(), config.client.wait, as_json) => outcome,
        refused = link::refused_at_start(zk) => Err(refused),
    }
}

async fn print(zk: &Zk, root: &ZnodePath, wait: Duration, as_json: bool) -> Result<(), Error> {
    let deadline = Instant::now() + wait;
    let (rows, skipped) = loop {
        let connection = connected(zk, deadline, wait).await?;
        match read(&connection, root).await {
            Ok(read) => break read,
            Err(error) if *error.kind() == ErrorKind::NoNode => {
                print_error(format_args!("{root} does not exist: no server is registered"));
                break (Vec::new(), Vec::new());
            }
            // The connection broke: retry on the next one.
            Err(_) if connection.has_ended() && Instant::now() < deadline => {}
            Err(error) => return Err(error.into()),
        }
    };
    if as_json {
        line(serde_json::Value::Array(rows.iter().map(Row::to_json).collect()))?;
    } else {
        for text in table(&rows) {
            line(text)?;
        }
    }
    for name in skipped {
        print_error(format_args!("skipped, as it is not an instance: {name:?}"));
    }
    Ok(())
}

async fn connected(zk: &Zk, deadline: Instant, wait: Duration) -> Result<Connection, Error> {
    let gave_up = || Error::GaveUp { waited: wait, what: zk.state().to_string() };
    let silent = deadline.min(Instant::now() + SILENT_WAIT);
    let connection = match timeout_at(silent, zk.connected()).await {
        Ok(connection) => connection,
        Err(_) => {
            print_error(zk.state());
            timeout_at(deadline, zk.connected()).await.map_err(|_| gave_up())?
        }
    };
    connection.map_err(|_closed| gave_up())
}

/// The instances, sorted, and the names of the other children.
async fn read(connection: &Connection, root: &ZnodePath) -> Result<(Vec<Row>, Vec<String>), ZkError> {
    // The server may lag behind the others of the ensemble.
    connection.sync(root).await?;
    let (names, _) = connection.children(root).await?;
    let found: Vec<_> = stream::iter(names)
        .map(|name| async move {
            let Ok(path) = root.join(&name) else { return Ok(Err(name)) };
            match connection.data(&path).await {
                Ok((data, stat)) => Ok(match Plain.decode(&name, &data) {
                    Ok(decoded) => Ok(Some(Row { instance: decoded.instance, stat: Some(stat) })),
                    Err(_) => Err(name),
                }),
                // The name alone is enough to call the instance.
                Err(error) if *error.kind() == ErrorKind::Denied => Ok(match Plain.decode_name(&name) {
                    Ok(Some(endpoint)) => Ok(Some(Row { instance: Instance::new(endpoint), stat: None })),
                    Ok(None) | Err(_) => Err(name),
                }),
                // Deleted between the list and the read: ordinary.
                Err(error) if *error.kind() == ErrorKind::NoNode => Ok(Ok(None)),
                Err(error) => Err(error),
            }
        })
        .buffer_unordered(READS)
        .try_collect()
        .await?;
    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    for child in found {
        match child {
            Ok(row) => rows.extend(row),
            Err(name) => skipped.push(name),
        }
    }
    rows.sort_by(|a, b| a.instance.endpoint().cmp(b.instance.endpoint()));
    skipped.sort();
    Ok((rows, skipped))
}

impl Row {
    fn session(&self) -> Option<String> {
        self.stat?.ephemeral_owner.map(|session| session.to_string())
    }

    fn started(&self) -> Option<String> {
        let ms = self.instance.owner()?.started_ms()?;
        let started = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
        Some(format!("{started:.0}"))
    }

    fn to_json(&self) -> serde_json::Value {
        let owner = self.instance.owner();
        json!({
            "endpoint": self.instance.endpoint().to_string(),
            "weight": self.instance.weight(),
            "tags": self.instance.tags(),
            "draining": self.instance.is_draining(),
            "readable": self.stat.is_some(),
            "ephemeral": self.stat.map(|stat| stat.ephemeral_owner.is_some()),
            "session": self.session(),
            "czxid": self.stat.map(|stat| stat.czxid.0),
            "host": owner.and_then(|owner| owner.host()),
            "pid": owner.and_then(|owner| owner.pid()),
            "started": self.started(),
            "incarnation": owner.map(|owner| owner.incarnation().to_string()),
        })
    }
}

/// The lines of the table, with aligned columns.
fn table(rows: &[Row]) -> Vec<String> {
    const HEAD: [&str; 7] = ["ENDPOINT", "WEIGHT", "SESSION", "HOST", "PID", "STARTED", "TAGS"];
    let dash = || "-".to_owned();
    let mut cells = vec![HEAD.map(str::to_owned)];
    for row in rows {
        let owner = row.instance.owner();
        cells.push([
            row.instance.endpoint().to_string(),
            row.instance.weight().to_string(),
            match row.stat {
                None => "(not readable)".into(),
                Some(_) => row.session().unwrap_or_else(|| "(persistent)".into()),
            },
            owner.and_then(|owner| owner.host()).map_or_else(dash, |host| host.escape_debug().to_string()),
            owner.and_then(|owner| owner.pid()).map_or_else(dash, |pid| pid.to_string()),
            row.started().unwrap_or_else(dash),
            // The last column, as tags may be long.
            Some(tags(&row.instance)).filter(|tags| !tags.is_empty()).unwrap_or_else(dash),
        ]);
    }
    let mut widths = [0; HEAD.len()];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let text = |row: &[String; HEAD.len()]| {
        let padded: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    cells.iter().map(text).collect()
}
