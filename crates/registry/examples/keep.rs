//! Keeps an address registered until Enter is pressed, and prints its status:
//! `cargo run -p registry --example keep -- 127.0.0.1:2181`.
//!
//! Meanwhile delete the znode by hand, restart ZooKeeper, or let another process take the name.

use std::time::Duration;

use instance::Instance;
use registry::{Registrar, RegistrarConfig};
use tokio::net::TcpListener;
use zk_core::{Zk, ZnodePath};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:2181".into());
    // Listen first: an address that nobody listens on must not be registered.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let bound = listener.local_addr()?;

    let zk = Zk::start(zk_core::ZkConfig::new(&hosts)?)?;
    let registrar = Registrar::new(&zk, RegistrarConfig::new(ZnodePath::parse("/registry_example")?));
    let instance = Instance::new(bound.try_into()?).with_weight(50).with_tag("zone", "a");
    let registration = registrar.register_bound(instance, bound)?;

    let mut statuses = registration.statuses();
    let printer = tokio::spawn(async move {
        loop {
            println!("{:?}", *statuses.borrow_and_update());
            if statuses.changed().await.is_err() {
                return;
            }
        }
    });

    let (entered, enter) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || entered.send(std::io::stdin().read_line(&mut String::new())));
    enter.await??;
    registration.deregister(Duration::from_secs(2)).await?;
    zk.close(Duration::from_secs(2)).await?;
    drop(registration);
    printer.await?;
    Ok(())
}
