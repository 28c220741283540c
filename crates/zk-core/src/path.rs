//! Absolute znode paths, checked once.

use std::fmt;
use std::sync::Arc;

/// An absolute znode path that ZooKeeper would accept: `/`, or `/a/b` without a trailing slash.
///
/// Cheap to clone. Checked by the server's own rules, so that a bad path is refused before it is sent.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZnodePath(Arc<str>);

/// Why a text is no [`ZnodePath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no znode path: {reason}")]
pub struct PathError {
    path: String,
    reason: &'static str,
}

impl ZnodePath {
    /// Parses an absolute path such as `/go_servers`.
    ///
    /// # Errors
    /// Relative, empty, with a trailing or a double slash, with a `.` or `..` segment, or with a
    /// character that ZooKeeper refuses (control characters, surrogates, private use, specials).
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let refuse = |reason| Err(PathError { path: text.chars().take(256).collect(), reason });
        let Some(rest) = text.strip_prefix('/') else {
            return refuse("it must begin with '/'");
        };
        if rest.is_empty() {
            return Ok(Self::root());
        }
        for segment in rest.split('/') {
            if let Err(reason) = check_segment(segment) {
                return refuse(reason);
            }
        }
        Ok(Self(text.into()))
    }

    /// The root of the tree, `/`.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// The path of a child.
    ///
    /// # Errors
    /// If `segment` is empty, `.` or `..`, or holds a slash or a character that ZooKeeper refuses.
    pub fn join(&self, segment: &str) -> Result<Self, PathError> {
        check_segment(segment)
            .map_err(|reason| PathError { path: segment.chars().take(256).collect(), reason })?;
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
fn check_segment(segment: &str) -> Result<(), &'static str> {
    match segment {
        "" => return Err("a segment is empty"),
        "." | ".." => return Err("relative segments are not allowed"),
        _ => {}
    }
    for c in segment.chars() {
        match c {
            '/' => return Err("a segment holds a slash"),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => return Err("it holds a control character"),
            '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' => {
                return Err("it holds a character that ZooKeeper refuses");
            }
            _ => {}
        }
    }
    Ok(())
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
    fn refuses_what_zookeeper_refuses() {
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
        ] {
            assert!(ZnodePath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn takes_what_zookeeper_takes() {
        for good in ["/", "/a", "/a/b", "/[::1]:80", "/...", "/ü/日本", "/a b"] {
            assert_eq!(path(good).as_str(), good);
        }
    }

    #[test]
    fn knows_parents_names_and_children() {
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
        fn a_root_put_on_comes_off_again(root in "/[a-c]{1,3}(/[a-c]{1,2})?|/", tail in "(/[a-c]{1,3}){1,3}|/") {
            let (root, tail) = (path(&root), path(&tail));
            prop_assert_eq!(tail.under(&root).without(&root), Some(tail));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            if let Ok(parsed) = ZnodePath::parse(&text) {
                prop_assert_eq!(parsed.as_str(), text);
            }
        }
    }
}
