//! Plans that have failed once.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use simulation::{Plan, judge_plan, report};

fn regressions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|is| is == "json")).collect();
    files.sort();
    files
}

#[test]
fn what_has_failed_once_passes() {
    let files = regressions();
    assert!(!files.is_empty(), "there are no regressions");
    let mut failed = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let plan: Plan = serde_json::from_str(&fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        if judge_plan(&plan).failure.is_some() {
            failed.push(report(&plan, &name));
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}
