//! The file of a saved list: read with suspicion, replaced as a whole. Blocks.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

use super::format::MAX_BYTES;
use super::unusable::Unusable;

/// Reads a file that this user alone can have written; `None` if there is none.
///
/// # Errors
/// If it cannot be read, is no ordinary file, can be another user's work, or is too long.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Unusable> {
    // It neither follows a symbolic link nor waits for the writer of a pipe.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(no_file(path).unwrap_or(Unusable::Read(error))),
    };
    check(&file.metadata().map_err(Unusable::Read)?)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(Unusable::Read)?;
    if bytes.len() > MAX_BYTES {
        return Err(Unusable::TooLong);
    }
    Ok(Some(bytes))
}

/// Checks an opened file: who can write it decides where this process sends its calls.
fn check(metadata: &Metadata) -> Result<(), Unusable> {
    if let Some(kind) = kind(metadata) {
        return Err(Unusable::NoFile(kind));
    }
    let (owner, us, mode) = (metadata.uid(), geteuid().as_raw(), metadata.mode() & 0o777);
    if owner != us && owner != 0 {
        return Err(Unusable::Owner { owner, us });
    }
    if mode & 0o022 != 0 {
        return Err(Unusable::Writable { mode });
    }
    Ok(())
}

/// Replaces a file as a whole: whoever reads it meanwhile, or after a crash, finds the old content or the new one. Only this user can read
/// it. `random` tells several writers apart.
///
/// # Errors
/// If the folder is missing or may not be written to, the disk is full, or something else than a file has the name.
pub(super) fn replace(path: &Path, bytes: &[u8], random: u64) -> io::Result<()> {
    if bytes.len() > MAX_BYTES {
        return Err(io::Error::other(Unusable::TooLong.to_string()));
    }
    // To rename over a symbolic link would replace the link, and not what it names.
    if let Some(unusable) = no_file(path) {
        return Err(io::Error::other(unusable.to_string()));
    }
    let temporary = beside(path, random)?;
    // New, or it fails: it follows no symbolic link either.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let temporary = Temporary(temporary);
    file.write_all(bytes)?;
    // Before the rename: a crash after it must not leave the new name with the content missing.
    file.sync_all()?;
    fs::rename(&temporary.0, path)?;
    // The rename itself. Some file systems cannot do that for folders; then a crash may bring the old content back, which is whole.
    let _ = File::open(folder(path)).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A file that is removed on drop; after the rename there is none of that name.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A name in the same folder, as a rename works within one file system only.
fn beside(path: &Path, random: u64) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it has no file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{random:016x}.tmp"));
    Ok(path.with_file_name(hidden))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// What has the name, if that is no ordinary file.
fn no_file(path: &Path) -> Option<Unusable> {
    kind(&fs::symlink_metadata(path).ok()?).map(Unusable::NoFile)
}

fn kind(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a folder"),
        () if kind.is_symlink() => Some("a symbolic link"),
        () => Some("something special"),
    }
}

#[cfg(test)]
mod tests;
