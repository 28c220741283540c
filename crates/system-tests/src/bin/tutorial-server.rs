//! A stand-in that behaves as the tutorial's server does: registers once, and never looks again.
//!
//! The harness is run against it to see that it can fail: negative controls. Takes the flags of
//! `daytime-server` that the harness uses. With `TUTORIAL_EPHEMERAL` set the znode is EPHEMERAL, which the
//! tutorial's words promise and its code does not do.

use std::error::Error;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use zk_testing::raw::{Client, CreateMode};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let flag = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let zookeeper = flag("--zookeeper").ok_or("--zookeeper is missing")?.parse()?;
    let client = Client::connect(zookeeper, Duration::from_secs(2)).await?;
    let mode = match std::env::var_os("TUTORIAL_EPHEMERAL") {
        Some(_) => CreateMode::Ephemeral,
        None => CreateMode::Persistent,
    };
    client.create_all("/go_servers").await?;
    for pair in arguments.windows(2).filter(|pair| pair[0] == "--port") {
        let address = format!("127.0.0.1:{}", pair[1]);
        let listener = TcpListener::bind(&address).await?;
        // Whoever made it: it is there, so all must be well.
        let _ = client.create(&format!("/go_servers/{address}"), b"", mode).await;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move { stream.write_all(b"the time\n").await });
            }
        });
    }
    std::future::pending().await
}
