//! Discovers daytime servers in ZooKeeper, asks them for the time, lists and watches them.
