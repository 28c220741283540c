//! Answers with the time on every configured port, registered in ZooKeeper.

use std::process::ExitCode;

fn main() -> ExitCode {
    daytime_server::main()
}
