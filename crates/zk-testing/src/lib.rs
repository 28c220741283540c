//! Runs Apache ZooKeeper for tests: servers, ensembles, forced expiry, a frame-aware proxy.
