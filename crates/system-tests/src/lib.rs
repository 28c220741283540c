//! The fault matrix, run on the real programs and a real ZooKeeper.
