//! A copy of the workspace, which patches may change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(super) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Makes `to` a copy of the sources in `from`. Files that are equal stay untouched, so that cargo builds again only what differs.
pub(super) fn sources(from: &Path, to: &Path) {
    let wanted = files(from);
    for gone in files(to).difference(&wanted) {
        fs::remove_file(to.join(gone)).unwrap();
    }
    for file in &wanted {
        let (from, to) = (from.join(file), to.join(file));
        let data = fs::read(&from).unwrap();
        if fs::read(&to).ok().as_ref() != Some(&data) {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(&to, data).unwrap();
        }
    }
}

/// What cargo needs: manifests, and what is in `crates`.
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::from("crates")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries.map(Result::unwrap) {
            let path = folder.join(entry.file_name());
            match entry.file_type().unwrap() {
                kind if kind.is_file() => drop(found.insert(path)),
                kind if kind.is_dir() && entry.file_name() != "target" => folders.push(path),
                _ => {}
            }
        }
    }
    let manifests = ["Cargo.toml", "Cargo.lock"].map(PathBuf::from);
    found.extend(manifests.into_iter().filter(|file| root.join(file).exists()));
    found
}
