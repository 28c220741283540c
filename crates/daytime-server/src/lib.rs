//! Answers with the time on every configured port, registered in ZooKeeper.
