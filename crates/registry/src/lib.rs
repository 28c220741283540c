//! Keeps declared instances registered in ZooKeeper, whatever happens.
