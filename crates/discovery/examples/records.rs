//! Prints weight, tags and owner of the registered instances, and every change:
//! `cargo run -p discovery --example records -- 127.0.0.1:2181 /go_servers`.

use discovery::{Change, Discovery, DiscoveryConfig, Records};
use instance::Instance;
use zk_core::{Zk, ZnodePath};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let hosts = arguments.next().unwrap_or_else(|| "127.0.0.1:2181".into());
    let root = arguments.next().unwrap_or_else(|| "/go_servers".into());

    let zk = Zk::start(zk_core::ZkConfig::new(&hosts)?)?;
    let config = DiscoveryConfig::new(ZnodePath::parse(&root)?).with_records(Records::Read);
    let discovery = Discovery::start(&zk, config);
    let mut changes = discovery.changes();
    while let Some(change) = changes.next().await {
        match change {
            Change::Reset(snapshot) => {
                println!("revision {}:", snapshot.revision());
                snapshot.instances().for_each(|instance| print(' ', instance));
            }
            Change::Added(instance) => print('+', &instance),
            Change::Updated { old, new } => {
                let incarnation = |instance: &Instance| instance.owner().map(|owner| owner.incarnation());
                let other = incarnation(&old) != incarnation(&new);
                print(if other { '!' } else { '=' }, &new);
            }
            Change::Removed(instance) => print('-', &instance),
        }
    }
    Ok(())
}

fn print(sign: char, instance: &Instance) {
    let owner = instance.owner().map_or_else(|| "no known owner".into(), |owner| owner.to_string());
    println!("{sign} {} weight {} {:?} by {owner}", instance.endpoint(), instance.weight(), instance.tags());
}
