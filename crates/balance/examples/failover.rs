//! Three simulated endpoints, one of which fails for a while: calls move away from it, and return.
//!
//! ```text
//! cargo run -p balance --example failover
//! ```

use std::io;
use std::time::Duration;

use balance::{Balancer, CallConfig, Config, Strategy, call};
use tokio::time::{Instant, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let balancer = Balancer::new(Config::new(Strategy::RoundRobin));
    balancer.update(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);

    let began = Instant::now();
    let down = Duration::from_millis(150)..Duration::from_millis(700);
    for _ in 0..12 {
        let answered =
            call(&balancer, &CallConfig::default(), |key| {
                let refuses = *key == "10.0.0.2:80" && down.contains(&began.elapsed());
                async move {
                    if refuses { Err(io::Error::from(io::ErrorKind::ConnectionRefused)) } else { Ok(()) }
                }
            })
            .await?;
        let attempts = answered.attempts;
        let second = balancer.status().swap_remove(1).health;
        println!(
            "{:4} ms  {} answered, attempts: {attempts}; 10.0.0.2:80 is {second:?}",
            began.elapsed().as_millis(),
            answered.key,
        );
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
