//! Starts a server, creates an ephemeral node, expires its session, and shows that it is gone.

use std::time::Duration;

use zk_testing::raw::{Client, CreateMode};
use zk_testing::{Server, expire_session};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start().await?;
    println!("ZooKeeper serves at {}, as process {:?}", server.addr(), server.pid());

    let owner = Client::connect(server.addr(), Duration::from_secs(4)).await?;
    owner.create("/here", b"hello", CreateMode::Ephemeral).await?;
    let observer = Client::connect(server.addr(), Duration::from_secs(4)).await?;
    println!("/here exists: {}", observer.exists("/here").await?.is_some());

    expire_session(server.addr(), owner.session_id()).await?;
    println!(
        "session {:#x} expired; /here exists: {}",
        owner.session_id(),
        observer.exists("/here").await?.is_some()
    );
    owner.closed().await;
    println!("its owner has learned of it");
    Ok(())
}
