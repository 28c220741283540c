//! Runs an empty ZooKeeper until Ctrl-C or the end of standard input.
//!
//! The first argument is the port; the default is 2181.

use std::io::Read;

use tokio::sync::oneshot;
use zk_testing::Server;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(2181), |port| port.parse())?;
    let mut server = Server::builder().port(port).tick(std::time::Duration::from_secs(2)).start().await?;
    println!("ZooKeeper serves at {}; end it with Ctrl-C or Ctrl-D", server.addr());

    let (end_tx, end) = oneshot::channel();
    // Ends with standard input, or with the process.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = end_tx.send(());
    });
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = end => {}
    }
    server.stop().await;
    Ok(())
}
