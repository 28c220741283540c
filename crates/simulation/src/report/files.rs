//! The files that a failure leaves.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::plan::Plan;
use crate::runner::Tally;

/// Where they are.
pub(super) struct Files {
    pub(super) story: PathBuf,
    pub(super) shrunk: PathBuf,
}

/// Writes the plan, what is left of it, and the history of what is left.
pub(super) fn write(name: &str, plan: &Plan, shrunk: &Plan, story: &[String]) -> io::Result<Files> {
    let file_name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let folder = folder().join(file_name);
    fs::create_dir_all(&folder)?;
    let files = Files { story: folder.join("history.txt"), shrunk: folder.join("shrunk.json") };
    fs::write(folder.join("plan.json"), json(plan)?)?;
    fs::write(&files.shrunk, json(shrunk)?)?;
    fs::write(&files.story, story.join("\n") + "\n")?;
    Ok(files)
}

/// Writes a line for each thing that is wrong with each seed that failed, and returns where.
pub(super) fn write_failures(tally: &Tally) -> io::Result<PathBuf> {
    let lines = tally
        .failures
        .iter()
        .flat_map(|failure| failure.text.lines().map(|line| format!("seed {}: {line}\n", failure.seed)));
    fs::create_dir_all(folder())?;
    let path = folder().join("failures.txt");
    fs::write(&path, lines.collect::<String>())?;
    Ok(path)
}

fn folder() -> PathBuf {
    target_folder().join("bad-days")
}

fn json(plan: &Plan) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(plan)? + "\n")
}

/// The folder of what cargo builds, in which this program is; elsewhere the one for temporary files.
fn target_folder() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let is_target =
        |folder: &&Path| [".rustc_info.json", "CACHEDIR.TAG"].iter().any(|file| folder.join(file).exists());
    program.ancestors().find(is_target).map_or_else(env::temp_dir, Path::to_path_buf)
}
