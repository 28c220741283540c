//! What a registered instance is, and how it is written to a znode.
