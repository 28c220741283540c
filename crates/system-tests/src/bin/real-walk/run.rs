//! `real-walk run PROGRAM ARGUMENTS...`: becomes that program, which ends with the walk, however that ends.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

/// Returns why it could not.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> String {
    let walk = getppid();
    let Some(program) = arguments.next() else { return "no program to run".into() };
    if let Err(error) = set_pdeathsig(Signal::SIGKILL) {
        return format!("cannot be bound to its parent: {error}");
    }
    // It may have ended meanwhile.
    if getppid() != walk {
        return "the walk has ended".into();
    }
    let error = Command::new(&program).args(arguments).exec();
    format!("{program}: {error}")
}
