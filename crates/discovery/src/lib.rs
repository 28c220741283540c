//! A watched, always-answering view of a service registered in ZooKeeper.
