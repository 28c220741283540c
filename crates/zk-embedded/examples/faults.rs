//! A client meets a lost reply, and a lost session.

use std::time::Duration;

use zk_embedded::faults::{AfterLoss, Matching, Op, Scope};
use zk_embedded::{Server, Shutdown};
use zk_testing::raw::{Client, CreateMode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().tick(Duration::from_millis(100)).start().await?;
    println!("serving on {}", server.connect_string());

    let client = Client::connect(server.addr(), Duration::from_secs(1)).await?;
    let lost = server.faults().lose_reply(Matching::op(Op::Create), AfterLoss::Cut).await?;
    let outcome = client.create("/here", b"", CreateMode::Persistent).await;
    println!("create: {outcome:?}, though the server did it; the fault has struck {} time(s)", lost.fired());

    let client = Client::connect(server.addr(), Duration::from_secs(1)).await?;
    println!("exists: {}", client.exists("/here").await?.is_some());

    server.faults().expire(Scope::Session(client.session_id())).await?;
    client.closed().await;
    println!("the session has expired, and its client knows");

    server.shutdown(Shutdown::CloseConnections).await;
    Ok(())
}
