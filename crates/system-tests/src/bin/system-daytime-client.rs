//! The program `daytime-client`, built here so that the tests of this crate always run the present one.

use std::process::ExitCode;

fn main() -> ExitCode {
    daytime_client::main()
}
