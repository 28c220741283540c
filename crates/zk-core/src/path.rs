//! Absolute znode paths, checked once.

use std::fmt;
use std::sync::Arc;

use crate::redact::redact;

/// An absolute znode path that ZooKeeper would accept: `/`, or `/a/b` without a trailing slash.
///
/// Cheap to clone. Checked by the server's own rules, so that a bad path is refused before it is sent.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZnodePath(Arc<str>);

/// Why a text is no [`ZnodePath`]. Shows the first 256 characters of the text, without what precedes an `@` in it: that
/// may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no znode path: {reason}")]
pub struct PathError {
    path: String,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Reason {
    #[error("it must begin with '/'")]
    Relative,
    #[error("a segment is empty")]
    EmptySegment,
    #[error("relative segments are not allowed")]
    DotSegment,
    #[error("a segment contains a slash")]
    Slash,
    /// `at` counts characters, from 1.
    #[error("its character {at} is {found:?} (U+{code:04X}), {}", why_not(*found), code = *found as u32)]
    Character { at: usize, found: char },
}

/// How much of a refused text is shown, in characters.
const SHOWN: usize = 256;

impl PathError {
    fn new(text: &str, reason: Reason) -> Self {
        // Redacted first: the `@` may be in the part that is cut off.
        Self { path: redact(text).chars().take(SHOWN).collect(), reason }
    }
}

impl ZnodePath {
    /// Parses an absolute path such as `/go_servers`.
    ///
    /// # Errors
    /// Relative, empty, with a trailing or a double slash, with a `.` or `..` segment, or with a
    /// character that ZooKeeper refuses: control characters, private use, the specials at U+FFF0 to U+FFFF, and
    /// everything beyond, such as emoji.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match check(text) {
            Ok(()) => Ok(Self(text.into())),
            Err(reason) => Err(PathError::new(text, reason)),
        }
    }

    /// The root of the tree, `/`.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// The path of a child.
    ///
    /// # Errors
    /// If `segment` is empty, `.` or `..`, or contains a slash or a character that ZooKeeper refuses.
    pub fn join(&self, segment: &str) -> Result<Self, PathError> {
        if segment.contains('/') {
            return Err(PathError::new(segment, Reason::Slash));
        }
        check_segment(segment, 0).map_err(|reason| PathError::new(segment, reason))?;
        Ok(if self.is_root() {
            Self(format!("/{segment}").into())
        } else {
            Self(format!("{self}/{segment}").into())
        })
    }

    /// The path of the parent; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        match self.0.rfind('/') {
            Some(0) | None => Some(Self::root()),
            Some(at) => Some(Self(self.0[..at].into())),
        }
    }

    /// The last segment; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the child through which `path` is reached, if `path` is this node's direct child.
    pub fn child_name<'a>(&self, path: &'a ZnodePath) -> Option<&'a str> {
        let rest = path.0.strip_prefix(if self.is_root() { "" } else { self.as_str() })?.strip_prefix('/')?;
        (!rest.is_empty() && !rest.contains('/')).then_some(rest)
    }

    /// This path under another root: `/app` and `/a/b` give `/app/a/b`.
    pub(crate) fn under(&self, root: &ZnodePath) -> Self {
        match (root.is_root(), self.is_root()) {
            (true, _) => self.clone(),
            (false, true) => root.clone(),
            (false, false) => Self(format!("{root}{self}").into()),
        }
    }

    /// The reverse of [`under`](Self::under); `None` if this path is not below `root`.
    pub(crate) fn without(&self, root: &ZnodePath) -> Option<Self> {
        if root.is_root() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(root.as_str())? {
            "" => Some(Self::root()),
            rest if rest.starts_with('/') => Some(Self(rest.into())),
            _ => None,
        }
    }
}

// The server's rules: org.apache.zookeeper.common.PathUtils.
fn check(path: &str) -> Result<(), Reason> {
    let segments = path.strip_prefix('/').ok_or(Reason::Relative)?;
    if segments.is_empty() {
        return Ok(());
    }
    let mut before = 1;
    for segment in segments.split('/') {
        check_segment(segment, before)?;
        before += segment.chars().count() + 1;
    }
    Ok(())
}

/// Checks a segment that follows `before` characters of the path.
fn check_segment(segment: &str, before: usize) -> Result<(), Reason> {
    match segment {
        "" => return Err(Reason::EmptySegment),
        "." | ".." => return Err(Reason::DotSegment),
        _ => {}
    }
    match segment.chars().enumerate().find(|(_, c)| is_refused(*c)) {
        Some((at, found)) => Err(Reason::Character { at: before + at + 1, found }),
        None => Ok(()),
    }
}

// ZooKeeper checks UTF-16 units one by one, and refuses the surrogates that encode everything beyond U+FFFF.
fn is_refused(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

fn why_not(refused: char) -> &'static str {
    match refused {
        '\u{10000}'.. => "and ZooKeeper accepts no characters beyond U+FFFF",
        '\u{e000}'.. => "which ZooKeeper refuses",
        _ => "a control character",
    }
}

impl fmt::Display for ZnodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ZnodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<&str> for ZnodePath {
    type Error = PathError;

    fn try_from(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ZnodePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl From<ZnodePath> for String {
    fn from(path: ZnodePath) -> Self {
        path.as_str().into()
    }
}

/// So that what takes `impl TryInto<ZnodePath>` takes a path, too.
impl From<std::convert::Infallible> for PathError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl std::str::FromStr for ZnodePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> ZnodePath {
        ZnodePath::parse(text).unwrap()
    }

    #[test]
    fn parse_refuses_the_paths_that_zookeeper_refuses() {
        for bad in [
            "",
            "a",
            "/a/",
            "//",
            "/a//b",
            "/.",
            "/a/../b",
            "/a\0",
            "/a\u{1f}",
            "/\u{7f}",
            "/\u{e000}",
            "/\u{ffff}",
            "/svc😀",
        ] {
            assert!(ZnodePath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_names_the_refused_character_and_its_position() {
        let error = |path: &str| ZnodePath::parse(path).unwrap_err().to_string();
        assert_eq!(
            error("/ü/svc😀/b"),
            "\"/ü/svc😀/b\" is no znode path: its character 7 is '😀' (U+1F600), and ZooKeeper accepts no characters \
             beyond U+FFFF"
        );
        assert!(error("/a\u{7}").ends_with("its character 3 is '\\u{7}' (U+0007), a control character"));
        assert!(
            error("/\u{e000}").ends_with("its character 2 is '\\u{e000}' (U+E000), which ZooKeeper refuses")
        );
        let joined = path("/a").join("b😀").unwrap_err().to_string();
        assert!(joined.contains("its character 2 is '😀'"), "{joined}");
    }

    #[test]
    fn an_error_does_not_repeat_a_password_that_was_typed_as_a_path() {
        for mistyped in ["joe:hunter2@zk1:2181/app", "/joe:hunter2@zk1/", "digest:joe:hunter2@"] {
            let error = ZnodePath::parse(mistyped).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        let error = path("/a").join("hunter2@/").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        let beyond_the_cut = format!("hunter2{}@", "x".repeat(1000));
        assert!(!format!("{:?}", ZnodePath::parse(&beyond_the_cut)).contains("hunter2"));
    }

    #[test]
    fn an_error_shows_no_more_than_256_characters() {
        let error = ZnodePath::parse(&"ü".repeat(1000)).unwrap_err();
        assert_eq!(error.path.chars().count(), 256);
    }

    #[test]
    fn parse_accepts_the_paths_that_zookeeper_accepts() {
        for good in ["/", "/a", "/a/b", "/[::1]:80", "/...", "/ü/日本", "/a b"] {
            assert_eq!(path(good).as_str(), good);
        }
    }

    #[test]
    fn a_path_has_a_parent_a_name_and_children() {
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!(path("/a").parent(), Some(path("/")));
        assert_eq!(path("/").parent(), None);
        assert_eq!(path("/a/b").name(), "b");
        assert_eq!(path("/a").child_name(&path("/a/b")), Some("b"));
        assert_eq!(path("/").child_name(&path("/a")), Some("a"));
        assert_eq!(path("/a").child_name(&path("/a/b/c")), None);
        assert_eq!(path("/a").child_name(&path("/ab")), None);
        assert_eq!(path("/a").child_name(&path("/a")), None);
        assert!(path("/a").join("b/c").is_err());
    }

    proptest! {
        #[test]
        fn removing_a_chroot_reverses_adding_it(
            root in "/[a-c]{1,3}(/[a-c]{1,2})?|/",
            tail in "(/[a-c]{1,3}){1,3}|/",
        ) {
            let (root, tail) = (path(&root), path(&tail));
            prop_assert_eq!(tail.under(&root).without(&root), Some(tail));
        }

        #[test]
        fn parse_never_panics(text in ".{0,40}") {
            if let Ok(parsed) = ZnodePath::parse(&text) {
                prop_assert_eq!(parsed.as_str(), text);
            }
        }
    }
}
