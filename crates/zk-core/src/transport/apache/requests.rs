//! The requests of a session thread: each method as calls of the client crate.

use tokio::sync::{mpsc, oneshot};
use zookeeper_client as zk;

use super::convert::{create_options, reading, stat_of};
use super::session::SessionThread;
use super::watches::once;
use super::{errors, recursive};
use crate::error::ErrorKind;
use crate::path::ZnodePath;
use crate::session::Session;
use crate::transport::event::{Event, EventKind};
use crate::transport::latest;
use crate::transport::seam::{BoxFuture, Reading, Reply, ResumeTicket, Transport, TransportEnd};
use crate::transport::stat::Stat;
use crate::transport::turn::Turn;
use crate::transport::znode::{Acl, CreateMode, Identity};

impl Transport for SessionThread {
    fn session(&self) -> Session {
        self.session
    }

    fn ticket(&self) -> ResumeTicket {
        ResumeTicket::new(self.credentials.clone())
    }

    fn server(&self) -> String {
        self.server.to_string()
    }

    fn has_recursive_watches(&self) -> bool {
        self.credentials.capabilities.recursive_watches()
    }

    fn down(&self) -> latest::Receiver<Option<TransportEnd>> {
        self.down.clone()
    }

    fn create(&self, turn: Turn, path: &ZnodePath, data: &[u8], mode: CreateMode, acl: Acl) -> Reply<Stat> {
        let (path, data) = (path.clone(), data.to_vec());
        let modern = self.credentials.capabilities.modern();
        self.call(turn, move |client| async move {
            let options = create_options(mode, acl);
            let creating = client.create(path.as_str(), &data, &options);
            if modern {
                let (stat, _) = creating.await?;
                return Ok(stat_of(&stat));
            }
            // Old servers do not return the stat: send both requests before waiting.
            let looking = client.check_stat(path.as_str());
            creating.await?;
            looking.await?.as_ref().map(stat_of).ok_or(zk::Error::NoNode)
        })
    }

    fn delete(&self, turn: Turn, path: &ZnodePath, version: Option<i32>) -> Reply<()> {
        let path = path.clone();
        self.call(turn, move |client| async move { client.delete(path.as_str(), version).await })
    }

    fn take_over(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8], acl: Acl) -> Reply<()> {
        let (path, data) = (path.clone(), data.to_vec());
        if !self.credentials.capabilities.modern() {
            // The crate encodes a create in a transaction in a way that only 3.5 understands. Two requests that are
            // sent at the same time run one after the other, with next to nothing in between.
            return self.call(turn, move |client| async move {
                let options = create_options(CreateMode::Ephemeral, acl);
                let deleting = client.delete(path.as_str(), Some(version));
                let creating = client.create(path.as_str(), &data, &options);
                let (deleted, created) = tokio::join!(deleting, creating);
                deleted?;
                created.map(|_| ())
            });
        }
        self.call(turn, move |client| async move {
            let commit = {
                let mut writer = client.new_multi_writer();
                writer.add_delete(path.as_str(), Some(version))?;
                writer.add_create(path.as_str(), &data, &create_options(CreateMode::Ephemeral, acl))?;
                writer.commit()
            };
            commit.await?;
            Ok(())
        })
    }

    fn write_and_delete(&self, turn: Turn, path: &ZnodePath, version: i32, data: &[u8]) -> Reply<()> {
        if !self.credentials.capabilities.modern() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let (path, data) = (path.clone(), data.to_vec());
        self.call(turn, move |client| async move {
            let commit = {
                let mut writer = client.new_multi_writer();
                writer.add_set_data(path.as_str(), &data, Some(version))?;
                writer.add_delete(path.as_str(), Some(version.wrapping_add(1)))?;
                writer.commit()
            };
            commit.await?;
            Ok(())
        })
    }

    fn stat(&self, turn: Turn, path: &ZnodePath) -> Reply<Option<Stat>> {
        let path = path.clone();
        self.call(turn, move |client| async move {
            let found = client.check_stat(path.as_str()).await?;
            Ok(found.as_ref().map(stat_of))
        })
    }

    fn data(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<u8>, Stat)> {
        let path = path.clone();
        self.call(turn, move |client| async move {
            let (data, stat) = client.get_data(path.as_str()).await?;
            Ok((data, stat_of(&stat)))
        })
    }

    fn read_many(&self, turn: Turn, paths: &[ZnodePath]) -> Reply<Vec<Reading>> {
        let paths = paths.to_vec();
        if !self.credentials.capabilities.modern() {
            return self.call(turn, move |client| async move {
                let reads: Vec<_> = paths.iter().map(|path| client.get_data(path.as_str())).collect();
                let mut readings = Vec::with_capacity(reads.len());
                for read in reads {
                    readings.push(reading(read.await)?);
                }
                Ok(readings)
            });
        }
        let capabilities = self.credentials.capabilities.clone();
        self.call(turn, move |client| async move {
            let commit = {
                let mut reader = client.new_multi_reader();
                for path in &paths {
                    reader.add_get_data(path.as_str())?;
                }
                reader.commit()
            };
            let results = commit.await.inspect_err(|error| {
                if *error == zk::Error::Unimplemented {
                    capabilities.not_modern();
                }
            })?;
            let readings = results.into_iter().map(|result| match result {
                zk::MultiReadResult::Data { data, stat } => Ok(Ok((data, stat_of(&stat)))),
                zk::MultiReadResult::Error { err } => reading(Err(err)),
                _ => Err(zk::Error::UnexpectedError("a reply of an unrequested type".into())),
            });
            readings.collect()
        })
    }

    fn set_data(&self, turn: Turn, path: &ZnodePath, data: &[u8], version: Option<i32>) -> Reply<Stat> {
        let (path, data) = (path.clone(), data.to_vec());
        self.call(turn, move |client| async move {
            let stat = client.set_data(path.as_str(), &data, version).await?;
            Ok(stat_of(&stat))
        })
    }

    fn children(&self, turn: Turn, path: &ZnodePath) -> Reply<(Vec<String>, Stat)> {
        let path = path.clone();
        self.call(turn, move |client| async move {
            // GetChildren2: ZooKeeper caches its serialized replies, and not those of GetChildren.
            let (names, stat) = client.get_children(path.as_str()).await?;
            Ok((names, stat_of(&stat)))
        })
    }

    fn sync(&self, turn: Turn, path: &ZnodePath) -> Reply<()> {
        let path = path.clone();
        self.call(turn, move |client| async move { client.sync(path.as_str()).await })
    }

    fn watch_recursive(&self, turn: Turn, path: &ZnodePath) -> Reply<mpsc::Receiver<Event>> {
        if !self.credentials.capabilities.recursive_watches() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let (path, capabilities) = (path.clone(), self.credentials.capabilities.clone());
        self.submit_eager(turn, move |client, breaths| async move {
            let watching = client.watch(path.as_str(), zk::AddWatchMode::PersistentRecursive);
            let watcher = watching.await.map_err(errors::kind).inspect_err(|kind| match kind {
                ErrorKind::Unsupported => capabilities.not_modern(),
                refusal if refusal.is_refusal() => capabilities.no_recursive_watches(refusal),
                _ => {}
            })?;
            let (receiver, watch) = recursive::follow(watcher, breaths);
            Ok((receiver, Some(watch)))
        })
    }

    fn watch_exists(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Option<Stat>, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.credentials.capabilities.modern();
        self.submit(turn, move |client| async move {
            let looking = client.check_and_watch_stat(path.as_str());
            let (found, watcher) = looking.await.map_err(errors::kind)?;
            let (receiver, watch) = once(watcher, removable);
            Ok(((found.as_ref().map(stat_of), receiver), Some(watch)))
        })
    }

    fn watch_data(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<u8>, Stat, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.credentials.capabilities.modern();
        self.submit(turn, move |client| async move {
            let reading = client.get_and_watch_data(path.as_str());
            let (data, stat, watcher) = reading.await.map_err(errors::kind)?;
            let (receiver, watch) = once(watcher, removable);
            Ok(((data, stat_of(&stat), receiver), Some(watch)))
        })
    }

    fn watch_children(
        &self,
        turn: Turn,
        path: &ZnodePath,
    ) -> Reply<(Vec<String>, Stat, oneshot::Receiver<EventKind>)> {
        let path = path.clone();
        let removable = self.credentials.capabilities.modern();
        self.submit(turn, move |client| async move {
            let listing = client.get_and_watch_children(path.as_str());
            let (names, stat, watcher) = listing.await.map_err(errors::kind)?;
            let (receiver, watch) = once(watcher, removable);
            Ok(((names, stat_of(&stat), receiver), Some(watch)))
        })
    }

    fn identities(&self, turn: Turn) -> Reply<Vec<Identity>> {
        if !self.credentials.capabilities.who_am_i() {
            return Box::pin(async { Err(ErrorKind::Unsupported) });
        }
        let capabilities = self.credentials.capabilities.clone();
        self.call(turn, move |client| async move {
            let users = client.list_auth_users().await.inspect_err(|error| {
                if *error == zk::Error::Unimplemented {
                    capabilities.no_who_am_i();
                }
            })?;
            let identity =
                |user: &zk::AuthUser| Identity { scheme: user.scheme().into(), user: user.user().into() };
            Ok(users.iter().map(identity).collect())
        })
    }

    fn check(&self) -> Reply<()> {
        // Needs no rights, and no znode except the root, which always exists.
        self.call(Turn::default(), |client| async move { client.check_stat("/").await.map(|_| ()) })
    }

    fn close(&self) -> BoxFuture<'static, bool> {
        self.close_session()
    }
}
