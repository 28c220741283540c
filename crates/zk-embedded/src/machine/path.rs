use crate::Version;
use zk_wire::ErrorCode;

/// The znodes that are there from the beginning, and can not be deleted.
pub(super) fn special(version: Version) -> &'static [&'static str] {
    let all = &["/", "/zookeeper", "/zookeeper/quota", CONFIG];
    if version == Version::V3_4 { &all[..3] } else { all }
}

/// Where an ensemble's configuration stands, since it can be changed.
pub(super) const CONFIG: &str = "/zookeeper/config";

/// Refuses what can not be the path of a znode.
pub(super) fn validate(path: &str, version: Version) -> Result<(), ErrorCode> {
    if path == "/" {
        return Ok(());
    }
    let segments = path.strip_prefix('/').ok_or(ErrorCode::BadArguments)?;
    let bad = segments.split('/').any(|segment| matches!(segment, "" | "." | ".."))
        || segments.chars().any(|c| is_forbidden(c, version));
    if bad { Err(ErrorCode::BadArguments) } else { Ok(()) }
}

/// Control characters, private use, what takes two units in UTF-16, and the specials at the end of the first plane.
fn is_forbidden(c: char, version: Version) -> bool {
    // The oldest leaves out the ends of its ranges.
    if version == Version::V3_4
        && matches!(c, '\u{1f}' | '\u{7f}' | '\u{9f}' | '\u{f8ff}' | '\u{fff0}' | '\u{ffff}')
    {
        return false;
    }
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// Returns what is before the last slash, the root being empty, for a path that is about to be created.
///
/// Less is asked here than of a whole path: a missing parent counts before a malformed name.
pub(super) fn parent_for_create(path: &str) -> Result<&str, ErrorCode> {
    let slash = path.rfind('/').filter(|_| !path.contains('\0'));
    slash.map(|slash| &path[..slash]).ok_or(ErrorCode::BadArguments)
}

/// As [`parent_for_create`], for a path that is about to be deleted.
pub(super) fn parent_for_delete(path: &str, version: Version) -> Result<&str, ErrorCode> {
    if special(version).contains(&path) { Err(ErrorCode::BadArguments) } else { parent_for_create(path) }
}

/// Splits the path of a znode that exists, and is not the root, into its parent (the root being empty) and its name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Returns the key under which the tree holds a path: the root is empty, and has `/` for an alias.
pub(super) fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

/// Returns the path of a key.
pub(super) fn shown(key: &str) -> &str {
    if key.is_empty() { "/" } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_paths_are_accepted() {
        for path in ["/", "/a", "/a/b", "/a.b/..c/d..", "/...", "/ ", "/\u{a0}", "/ü/\u{d7ff}", "/\u{ffef}"]
        {
            assert_eq!(validate(path, Version::V3_8), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn invalid_paths_get_bad_arguments() {
        for path in ["", "a", "a/b", "//", "/a/", "/a//b", "//a", "/.", "/..", "/a/./b", "/a/../b", "/a/.."] {
            assert_eq!(validate(path, Version::V3_8), Err(ErrorCode::BadArguments), "{path:?}");
        }
        for c in [
            '\0', '\u{1}', '\u{1f}', '\u{7f}', '\u{9f}', '\u{e000}', '\u{f8ff}', '\u{fff0}', '\u{ffff}', '😀',
        ] {
            assert_eq!(validate(&format!("/a{c}b"), Version::V3_8), Err(ErrorCode::BadArguments), "{c:?}");
        }
        assert_eq!(validate("/a\u{1f}b", Version::V3_4), Ok(()));
    }

    #[test]
    fn a_parent_is_all_before_the_last_slash() {
        assert_eq!(parent_for_create("/a/b"), Ok("/a"));
        assert_eq!(parent_for_create("/a"), Ok(""));
        assert_eq!(parent_for_create("a/b"), Ok("a"), "whether it exists is another question");
        assert_eq!(parent_for_create("a"), Err(ErrorCode::BadArguments));
        assert_eq!(parent_for_create("/a\0"), Err(ErrorCode::BadArguments));
    }

    #[test]
    fn system_paths_cannot_be_deleted() {
        for &path in special(Version::V3_8) {
            assert_eq!(parent_for_delete(path, Version::V3_8), Err(ErrorCode::BadArguments), "{path}");
        }
        assert_eq!(parent_for_delete("/zookeeper/other", Version::V3_8), Ok("/zookeeper"));
        assert_eq!(parent_for_delete(CONFIG, Version::V3_4), Ok("/zookeeper"), "it knows nothing of it");
    }
}
