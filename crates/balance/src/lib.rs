//! Which of a set of endpoints to call: pickers, ejection, retries; knows nothing of ZooKeeper.
