//! Servers that do less than ours: the oracle has to see what they lack.

use oracle::{Invariant, judge};
use simulation::{ServerKind, generate, run};

use super::SEEDS;

/// The seeds with all servers of one kind, until one of these promises is broken.
fn fails(kind: ServerKind, expected: &[Invariant]) {
    for seed in 1..=SEEDS {
        let mut plan = generate(seed);
        plan.spec.servers.iter_mut().for_each(|server| server.kind = kind);
        let broken = judge(&run(&plan).history).violations;
        if let Some(first) = broken.iter().find(|one| expected.contains(&one.invariant)) {
            return println!("{kind:?}: seed {seed}: {first}");
        }
    }
    panic!("{kind:?}: passes {SEEDS} seeds");
}

#[test]
fn a_server_that_registers_once_with_an_ephemeral_znode_fails() {
    fails(ServerKind::OnceEphemeral, &[Invariant::I2, Invariant::I5]);
}

#[test]
fn a_server_that_registers_once_with_a_persistent_znode_fails() {
    fails(ServerKind::OncePersistent, &[Invariant::I4]);
}
