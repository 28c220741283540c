//! One supervised link to a ZooKeeper ensemble that outlives any single session.
