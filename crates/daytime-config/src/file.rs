//! Reads a file as text. It never blocks and never reads more than 1 MiB, whatever is at the path.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The longest file that is read, in bytes. Hand-written files have a few thousand.
const MAX_LEN: u64 = 1 << 20;

/// Why a file cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// No file has this path.
    Missing,
    /// What has this path cannot be used.
    Unusable(String),
    /// The file is not UTF-8; `before` is the text up to the first bad byte.
    NotUtf8 { before: String },
}

/// Reads a whole file as text, without its BOM.
pub(crate) fn read(path: &Path) -> Result<String, ReadError> {
    let metadata = std::fs::metadata(path).map_err(refuse)?;
    if metadata.is_dir() {
        return Err(ReadError::Unusable("expected a file, found a directory".into()));
    }
    // Opening a pipe without a writer would wait for ever.
    if !metadata.is_file() {
        return Err(ReadError::Unusable(
            "expected a regular file, found a device, a pipe or a socket".into(),
        ));
    }
    if metadata.len() > MAX_LEN {
        return Err(too_long(metadata.len()));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_LEN + 1).read_to_end(&mut bytes)).map_err(refuse)?;
    // The file may have grown, and some files report no length.
    if bytes.len() as u64 > MAX_LEN {
        return Err(too_long(bytes.len() as u64));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(ReadError::Unusable("expected UTF-8, found UTF-16".into()));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ReadError::NotUtf8 { before: String::from_utf8_lossy(good).into_owned() }
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

fn refuse(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Unusable(format!("cannot be read: {error}")),
    }
}

fn too_long(len: u64) -> ReadError {
    ReadError::Unusable(format!("expected at most {MAX_LEN} bytes, found {len} or more"))
}
