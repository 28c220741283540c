//! Patches in the unified format, as `git diff` writes them. Line numbers are ignored: what a patch replaces has to be in its file
//! once, wherever.

use std::fs;
use std::path::Path;

/// A patch: for each file the texts that replace others.
pub(super) struct Patch {
    name: String,
    files: Vec<(String, Vec<Hunk>)>,
}

#[derive(Default)]
struct Hunk {
    old: String,
    new: String,
}

impl Patch {
    /// Reads a patch. What comes before the first file says what it does.
    pub(super) fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut files: Vec<(String, Vec<Hunk>)> = Vec::new();
        for line in fs::read_to_string(path).unwrap().lines() {
            if let Some(file) = line.strip_prefix("+++ b/") {
                files.push((file.to_owned(), Vec::new()));
            } else if line.starts_with("diff --git") || line.starts_with("--- ") {
                // The line with pluses follows.
            } else if let Some((_, hunks)) = files.last_mut() {
                if line.starts_with("@@") {
                    hunks.push(Hunk::default());
                } else if let Some(hunk) = hunks.last_mut() {
                    hunk.push(line);
                }
            }
        }
        assert!(!files.is_empty(), "{name} changes nothing");
        Self { name, files }
    }

    /// Changes the files below a folder.
    pub(super) fn apply(&self, root: &Path) {
        for (file, hunks) in &self.files {
            let path = root.join(file);
            let mut text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("planted/{} changes {file}: {error}", self.name));
            for hunk in hunks {
                let places = text.matches(&hunk.old).count();
                assert!(
                    places == 1,
                    "planted/{} has to be adapted to {file}, where this is {places} times:\n{}",
                    self.name,
                    hunk.old
                );
                text = text.replace(&hunk.old, &hunk.new);
            }
            fs::write(&path, text).unwrap();
        }
    }

    /// The files that it changes.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(file, _)| &**file)
    }
}

impl Hunk {
    fn push(&mut self, line: &str) {
        let (old, new) = match line.split_at_checked(1) {
            Some(("-", text)) => (Some(text), None),
            Some(("+", text)) => (None, Some(text)),
            Some((" ", text)) => (Some(text), Some(text)),
            // An editor has taken away the blank of an empty line.
            None => (Some(""), Some("")),
            Some(_) => panic!("no line of a patch: {line}"),
        };
        old.into_iter().for_each(|text| self.old.extend([text, "\n"]));
        new.into_iter().for_each(|text| self.new.extend([text, "\n"]));
    }
}
