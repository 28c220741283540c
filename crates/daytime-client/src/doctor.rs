//! The command `doctor`: checks step by step what can be reached, and prints what to look at where a step fails.
//!
//! Each step is a function with a deadline. The order is that of a request: names, addresses, ZooKeeper, session, root,
//! watch, instances. If a step fails for one of several servers, the examination goes on, as a program would; if it fails
//! for all of them, it ends.

mod address;
mod cause;
mod instance;
mod name;
mod report;
mod root;
mod session;
mod watch;
mod zookeeper;

use std::net::SocketAddr;

use daytime_config::ClientConfig;
use futures_util::{StreamExt, stream};
use zk_core::Connection;

use self::report::Report;
use crate::error::Error;
use crate::link::Link;

/// How many steps of one kind run at one time.
const AT_ONCE: usize = 16;

/// Runs all steps, and prints a line for each.
///
/// # Errors
/// [`Error::StepsFailed`] if a step failed.
pub(crate) async fn run(config: ClientConfig, as_json: bool, link: &Link) -> Result<(), Error> {
    let mut report = Report::new(as_json);
    examine(&config, link, &mut report).await?;
    report.end()
}

async fn examine(config: &ClientConfig, link: &Link, report: &mut Report) -> Result<(), Error> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let mut names = stream::iter(config.zookeeper.hosts()).map(name::resolve).buffered(AT_ONCE);
    while let Some((step, found)) = names.next().await {
        report.add(step)?;
        addresses.extend(found);
    }
    addresses.sort();
    addresses.dedup();

    let mut reached = Vec::new();
    let mut connects = stream::iter(addresses).map(address::connect).buffered(AT_ONCE);
    while let Some((step, address)) = connects.next().await {
        report.add(step)?;
        reached.extend(address);
    }
    let mut serving = false;
    let mut handshakes =
        stream::iter(reached).map(|address| zookeeper::probe_server(address, config.tls)).buffered(AT_ONCE);
    while let Some((step, serves)) = handshakes.next().await {
        report.add(step)?;
        serving |= serves;
    }
    // No server could grant a session.
    if !serving {
        return Ok(());
    }

    let (step, connection) = session::begin(config, link).await?;
    report.add(step)?;
    match connection {
        Some(connection) => examine_root(&connection, config, report).await,
        None => Ok(()),
    }
}

/// The steps that need a session.
async fn examine_root(
    connection: &Connection,
    config: &ClientConfig,
    report: &mut Report,
) -> Result<(), Error> {
    let path = config.discovery.root();
    let (step, exists) = root::exists(connection, path).await;
    report.add(step)?;
    if !exists {
        return Ok(());
    }
    let (step, names) = root::list(connection, path).await;
    report.add(step)?;
    let Some(names) = names else { return Ok(()) };
    report.add(watch::set(connection, path).await)?;
    let (step, endpoints) = root::instances(path, names);
    report.add(step)?;
    let caller = instance::Caller { connection, root: path, settings: &config.client };
    let mut calls = stream::iter(endpoints).map(|endpoint| caller.call(endpoint)).buffered(AT_ONCE);
    while let Some(step) = calls.next().await {
        report.add(step)?;
    }
    Ok(())
}
