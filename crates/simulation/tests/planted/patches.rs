//! What is planted into the sources of the libraries, as a patch each: see the folder `planted` of this crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oracle::Invariant;

use super::patch::Patch;
use super::{SEEDS, assert_all_pass_without_it, copy};

/// What a view that is wrong breaks.
const VIEW: &[Invariant] = &[Invariant::Exact, Invariant::I2, Invariant::I8];

/// Each patch, and the promises of which it breaks one.
const PATCHES: &[(&str, &[Invariant])] = &[
    ("03-list-skipped-after-a-reconnect", VIEW),
    ("04-count-of-events-off-by-one", VIEW),
    ("05-event-ahead-of-its-reply-counted-twice", VIEW),
    ("08-event-applied-before-the-list", VIEW),
    ("09-guard-without-a-bound", &[Invariant::I4]),
    ("10-leave-undone-by-a-re-registration", &[Invariant::Leaves]),
    // The znode stands, and its process does not say so.
    ("11-cancelled-write-taken-for-a-strangers", &[Invariant::I2]),
    ("12-wish-not-heard-while-waiting", &[Invariant::I5]),
    ("13-trial-that-never-ends", &[Invariant::Calls]),
    ("14-budget-that-is-never-spent", &[Invariant::Calls]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("planted")
}

fn read(name: &str) -> Patch {
    Patch::read(&folder().join(format!("{name}.patch")))
}

#[test]
fn every_patch_has_its_place_in_the_sources() {
    let mut names: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, PATCHES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for name in names {
        let (patch, changed) = (read(&name), tempfile::tempdir().unwrap());
        for file in patch.files() {
            let to = changed.path().join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(copy::workspace().join(file), to).unwrap();
        }
        patch.apply(changed.path());
    }
}

/// Builds the simulation once for each patch, which takes minutes. `PATCH=09` is for one of them.
#[test]
#[ignore = "builds the libraries ten times; scripts/test --all runs it"]
fn every_patch_is_found() {
    let workspace = copy::workspace();
    // Below the target folder, and kept: the next run builds only what differs.
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted");
    let (sources, target) = (built.join("sources"), built.join("target"));
    let only = std::env::var("PATCH").unwrap_or_default();
    for (name, expected) in PATCHES.iter().filter(|(name, _)| name.starts_with(&only)) {
        copy::sources(&workspace, &sources);
        read(name).apply(&sources);
        println!("{name}: building");
        build(&sources, &target);
        let seed = find(&target, name, expected);
        assert_all_pass_without_it(seed);
    }
}

fn build(sources: &Path, target: &Path) {
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--offline",
            "--profile",
            "simulation",
            "-p",
            "simulation",
            "--bin",
            "bad-days",
        ])
        .current_dir(sources)
        .env("CARGO_TARGET_DIR", target)
        .status();
    assert!(status.unwrap().success(), "the patched sources do not build");
}

/// Runs seeds until one fails. Returns it.
fn find(target: &Path, name: &str, expected: &[Invariant]) -> u64 {
    let output = Command::new(target.join("simulation/bad-days"))
        .args(["--seeds", &SEEDS.to_string(), "--until-failure"])
        .current_dir(target)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{name}: not found in {SEEDS} seeds");
    // A thread for each processor: there may be several.
    let failures = text.split("FAIL seed ").skip(1).filter_map(|rest| {
        let (seed, why) = rest.split_once(": ")?;
        Some((seed.parse().ok()?, why.split("\n\n").next()?))
    });
    let failures: Vec<(u64, &str)> = failures.collect();
    let is_expected = |why: &str| expected.iter().any(|one| why.contains(one.name()));
    let found = failures.iter().find(|(_, why)| is_expected(why));
    let (seed, broken) = *found.unwrap_or_else(|| panic!("{name}: not what it breaks: {failures:#?}"));
    let broken = broken.lines().next().unwrap_or_default();
    println!("{name}: found by seed {seed}: {broken}");
    seed
}
