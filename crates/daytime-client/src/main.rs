//! Discovers daytime servers in ZooKeeper, asks them for the time, lists and watches them.

use std::process::ExitCode;

fn main() -> ExitCode {
    daytime_client::main()
}
