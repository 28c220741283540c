//! Which arrows so many seeds go along, and in how many of their runs: what `src/coverage/arrows.txt` is made of.
//!
//! ```sh
//! cargo run --profile simulation -p simulation --example arrows -- 10000
//! ```

use simulation::{Seeds, run_seeds};

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let tally =
        run_seeds(Seeds { first: 1, count: Some(count), time: None, threads: None, until_failure: false });
    print!("{}", tally.arrows);
}
