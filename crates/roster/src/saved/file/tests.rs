use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use instance::Instance;
use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo};

use super::*;
use crate::saved::format::{decode, encode};
use crate::saved::place::SavedPlace;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_file_is_replaced_as_a_whole_and_is_its_owners_alone() {
    let folder = folder();
    let path = folder.path().join("web.saved");
    assert!(read(&path).unwrap().is_none());
    for content in [&b"a longer one"[..], b"short"] {
        replace(&path, content, 7).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), content);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["web.saved"], "no temporary file stays");
    }
}

#[test]
fn what_cannot_be_written_is_an_error_and_leaves_the_old_file_and_nothing_else() {
    let folder = folder();
    let path = folder.path().join("web.saved");
    replace(&path, b"old", 1).unwrap();
    replace(&path, &vec![0; MAX_BYTES + 1], 2).unwrap_err();
    // Another writer's, or a trap.
    symlink("/nowhere", beside(&path, 3).unwrap()).unwrap();
    replace(&path, b"new", 3).unwrap_err();
    replace(&folder.path().join("missing").join("web.saved"), b"new", 4).unwrap_err();
    replace(Path::new("/"), b"new", 5).unwrap_err();
    assert_eq!(read(&path).unwrap().unwrap(), b"old");
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn what_is_no_ordinary_file_is_neither_read_nor_replaced() {
    let folder = folder();
    let target = folder.path().join("target");
    replace(&target, b"target", 1).unwrap();
    let (link, pipe, sub) =
        (folder.path().join("link"), folder.path().join("pipe"), folder.path().join("folder"));
    symlink(&target, &link).unwrap();
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    fs::create_dir(&sub).unwrap();
    for path in [&link, &pipe, &sub] {
        assert!(matches!(read(path), Err(Unusable::NoFile(_))), "{}", path.display());
        let before = fs::symlink_metadata(path).unwrap().ino();
        replace(path, b"new", 2).unwrap_err();
        assert_eq!(fs::symlink_metadata(path).unwrap().ino(), before, "{}", path.display());
    }
    assert_eq!(fs::read(&target).unwrap(), b"target");
}

#[test]
fn a_file_that_others_may_have_written_or_that_is_too_long_is_not_read() {
    let folder = folder();
    let path = folder.path().join("web.saved");
    replace(&path, b"list", 1).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(read(&path).unwrap().is_some(), "others may read it, if its owner likes");
    for mode in [0o620, 0o602] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(read(&path), Err(Unusable::Writable { .. })), "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    if geteuid().is_root() {
        nix::unistd::chown(&path, Some(Uid::from_raw(65_534)), None).unwrap();
        assert!(matches!(read(&path), Err(Unusable::Owner { owner: 65_534, .. })));
    } else {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        assert!(matches!(read(&path), Err(Unusable::Read(_))));
    }
    fs::remove_file(&path).unwrap();
    let file = File::create(&path).unwrap();
    file.set_len(MAX_BYTES as u64 + 1).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(read(&path), Err(Unusable::TooLong)));
}

#[test]
fn a_reader_never_sees_half_a_file_while_others_write() {
    let folder = folder();
    let path = folder.path().join("web.saved");
    let (now, max_age) = (SystemTime::now(), Duration::from_secs(3600));
    let place = SavedPlace { path: path.clone(), service: "/web".into(), hosts: vec![], max_age };
    let list = |count: u16| -> Vec<u8> {
        let all: Vec<_> =
            (1..=count).map(|n| Instance::new(format!("10.0.0.7:{n}").parse().unwrap())).collect();
        encode(&place, &all, now)
    };
    let (short, long) = (list(1), list(5_000));
    let seen = [AtomicUsize::new(0), AtomicUsize::new(0)];
    // Until a reader has seen both several times; a file system may take its time for each write.
    let enough = || seen.iter().all(|count| count.load(Ordering::SeqCst) >= 5);
    thread::scope(|threads| {
        for writer in 0..2_u64 {
            let (path, short, long, enough) = (&path, &short, &long, &enough);
            threads.spawn(move || {
                for round in 0..2_000 {
                    if enough() {
                        return;
                    }
                    let bytes = if round % 2 == writer { short } else { long };
                    replace(path, bytes, writer << 32 | round).unwrap();
                }
            });
        }
        while !enough() {
            let Some(bytes) = read(&path).unwrap() else { continue };
            match decode(&bytes, &place, now).expect("whole").instances().len() {
                1 => seen[0].fetch_add(1, Ordering::SeqCst),
                5_000 => seen[1].fetch_add(1, Ordering::SeqCst),
                other => panic!("{other} instances were never written"),
            };
        }
    });
    assert_eq!(names(folder.path()), ["web.saved"]);
}
