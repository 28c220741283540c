use std::fmt;

/// The kinds of requests, one for each method of [`Transport`](zk_core::transport::Transport) that sends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Creates a znode.
    Create,
    /// Deletes a znode.
    Delete,
    /// Replaces a znode by an ephemeral one.
    TakeOver,
    /// Writes a znode and deletes it.
    WriteAndDelete,
    /// Reads a stat.
    Stat,
    /// Reads data.
    Data,
    /// Reads several znodes.
    ReadMany,
    /// Writes data.
    SetData,
    /// Lists children.
    Children,
    /// Waits until the server has caught up.
    Sync,
    /// Watches a znode and everything below it.
    WatchRecursive,
    /// Reads a stat, and watches the znode once.
    WatchExists,
    /// Reads data, and watches them once.
    WatchData,
    /// Lists children, and watches the list once.
    WatchChildren,
    /// Lists identities.
    Identities,
    /// The link's own check that the server replies.
    Check,
    /// Closes the session.
    Close,
}

impl Verb {
    /// Those that change something.
    pub const WRITES: [Self; 5] =
        [Self::Create, Self::Delete, Self::TakeOver, Self::WriteAndDelete, Self::SetData];
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::TakeOver => "take over",
            Self::WriteAndDelete => "write and delete",
            Self::Stat => "stat",
            Self::Data => "read",
            Self::ReadMany => "read many",
            Self::SetData => "write",
            Self::Children => "list",
            Self::Sync => "sync",
            Self::WatchRecursive => "watch recursively",
            Self::WatchExists => "watch existence of",
            Self::WatchData => "watch data of",
            Self::WatchChildren => "watch children of",
            Self::Identities => "identify",
            Self::Check => "check",
            Self::Close => "close",
        })
    }
}
