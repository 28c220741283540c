//! The program `daytime-client`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daytime_client::main()
}
