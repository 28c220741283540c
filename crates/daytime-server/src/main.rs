//! The program `daytime-server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daytime_server::main()
}
