//! Prints the states of a link: `cargo run -p zk-core --example states -- 127.0.0.1:2181`.
//!
//! Stop and start ZooKeeper meanwhile, for as long as you like; Enter ends the example.

use std::time::Duration;

use zk_core::{Acl, Zk, ZkConfig, ZnodePath};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let hosts = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:2181".into());
    let zk = Zk::start(ZkConfig::new(&hosts)?)?;

    let mut states = zk.states();
    let printer = tokio::spawn(async move {
        while let Some(state) = states.changed().await {
            println!("{} epoch {} reconnects {}", state.phase, state.epoch, state.reconnects);
        }
    });

    let path = ZnodePath::parse("/zk-core-example")?;
    let connection = zk.connected().await?;
    let stat = connection.create_ephemeral(&path, b"hello", Acl::Open).await?;
    println!("created {path}: czxid {}, owner {:?}", stat.czxid, stat.ephemeral_owner);

    let (entered, enter) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || entered.send(std::io::stdin().read_line(&mut String::new())));
    enter.await??;
    zk.close(Duration::from_secs(2)).await?;
    printer.await?;
    Ok(())
}
