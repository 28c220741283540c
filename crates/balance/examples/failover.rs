//! Three simulated endpoints, one of which fails for a while: calls move away from it, and return.
//!
//! ```text
//! cargo run -p balance --example failover
//! ```

use std::io;
use std::time::Duration;

use balance::{Balancer, BalancerConfig, CallConfig, Caller, Strategy, Target};
use tokio::time::{Instant, sleep};

/// Simulates a call: 10.0.0.2:80 refuses it while it is down.
async fn ask(target: Target<&'static str, ()>, began: Instant) -> io::Result<()> {
    let down = Duration::from_millis(150)..Duration::from_millis(700);
    if *target.key() == "10.0.0.2:80" && down.contains(&began.elapsed()) {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let balancer = Balancer::new(BalancerConfig::new(Strategy::RoundRobin));
    balancer.update([("10.0.0.1:80", ()), ("10.0.0.2:80", ()), ("10.0.0.3:80", ())]);
    let caller = Caller::new(balancer.reader(), CallConfig::default());

    let began = Instant::now();
    for _ in 0..12 {
        // It may be repeated, so ejected endpoints are tried beside the calls.
        let answered = caller.call_idempotent(move |target| ask(target, began)).await?;
        let attempts = answered.attempts;
        let second = balancer.status().swap_remove(1).health;
        println!(
            "{:4} ms  {} answered, attempts: {attempts}; 10.0.0.2:80 is {second:?}",
            began.elapsed().as_millis(),
            answered.key(),
        );
        sleep(Duration::from_millis(100)).await;
    }
    caller.shutdown().await;
    Ok(())
}
