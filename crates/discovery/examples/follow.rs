//! Prints instances that come and go: `cargo run -p discovery --example follow -- 127.0.0.1:2181 /go_servers`.

use discovery::{Change, Discovery, DiscoveryConfig};
use zk_core::{Zk, ZnodePath};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let hosts = arguments.next().unwrap_or_else(|| "127.0.0.1:2181".into());
    let root = arguments.next().unwrap_or_else(|| "/go_servers".into());

    let zk = Zk::start(zk_core::ZkConfig::new(&hosts)?)?;
    let discovery = Discovery::start(&zk, DiscoveryConfig::new(ZnodePath::parse(&root)?));
    let mut changes = discovery.changes();
    while let Some(change) = changes.next().await {
        match change {
            Change::Reset(snapshot) => {
                println!("revision {}:", snapshot.revision());
                snapshot.endpoints().for_each(|endpoint| println!("  {endpoint}"));
            }
            Change::Added(instance) => println!("+ {}", instance.endpoint()),
            Change::Updated { new, .. } => println!("= {}", new.endpoint()),
            Change::Removed(instance) => println!("- {}", instance.endpoint()),
        }
    }
    Ok(())
}
