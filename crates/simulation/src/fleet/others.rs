//! What others do to znodes: operators, a rival, foreign writers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::RngExt;
use tokio::time::sleep;
use zk_simulated::{Acl, Operator, SimulatedEnsemble};
use zk_wire::permission;

use super::nemesis::Nemesis;
use super::processes::port;
use super::{ROOT, once, server};
use crate::plan::{Act, Who};

fn znode(server: u8) -> String {
    format!("{ROOT}/{}", server::endpoint(port(server)))
}

/// Operators who wait for ZooKeeper to come back, so that they can go.
#[derive(Clone, Debug)]
pub(super) struct Leavers {
    ensemble: SimulatedEnsemble,
    waiting: Arc<Mutex<Vec<Operator>>>,
}

impl Leavers {
    pub(super) fn new(ensemble: &SimulatedEnsemble) -> Self {
        Self { ensemble: ensemble.clone(), waiting: Arc::default() }
    }

    /// Ends the session of an operator; once ZooKeeper is back, if it is away.
    fn end(&self, operator: Operator) {
        self.waiting.lock().push(operator);
        self.go();
    }

    /// Lets those go who wait, if ZooKeeper is there.
    pub(super) fn go(&self) {
        if self.ensemble.leader().is_some() {
            self.waiting.lock().drain(..).for_each(Operator::end);
        }
    }
}

impl Nemesis<'_> {
    /// Somebody with a session; nobody while ZooKeeper is away.
    fn somebody(&self) -> Option<Operator> {
        (!self.is_away()).then(|| self.ensemble.operator())
    }

    /// Lets an operator do something and go. Whether it succeeded.
    fn briefly(&self, work: impl FnOnce(&Operator) -> bool) -> bool {
        self.somebody().is_some_and(|operator| {
            let done = work(&operator);
            operator.end();
            done
        })
    }

    /// Somebody who is there for a while, with one ephemeral znode.
    fn for_a_while(&mut self, id: u32, name: &str, data: &[u8], for_ms: u64) {
        let Some(operator) = self.somebody() else { return self.at_once(id, false) };
        let created = operator.create_ephemeral(format!("{ROOT}/{name}"), data).is_ok();
        if !created {
            operator.end();
            return self.at_once(id, false);
        }
        self.recorder.took_effect(id);
        self.lasts(id, for_ms, move |nemesis| nemesis.leavers.end(operator));
    }

    pub(super) fn delete_znode(&mut self, act: &Act, server: u8) {
        let id = self.begin(act, Some(Who::Server(server)));
        let deleted = self.briefly(|operator| operator.delete(znode(server)).is_ok());
        self.at_once(id, deleted);
    }

    pub(super) fn delete_all(&mut self, act: &Act) {
        let id = self.begin(act, None);
        let deleted = self.briefly(delete_children);
        self.at_once(id, deleted);
    }

    pub(super) fn delete_root(&mut self, act: &Act) {
        let id = self.begin(act, None);
        let deleted = self.briefly(|operator| {
            delete_children(operator);
            operator.delete(ROOT).is_ok()
        });
        self.at_once(id, deleted);
    }

    pub(super) fn overwrite(&mut self, act: &Act, server: u8) {
        let id = self.begin(act, Some(Who::Server(server)));
        let data = match self.rng.random_bool(0.5) {
            true => b"{\"Weight\":".to_vec(),
            false => once::instance(&server::endpoint(port(server)), 77),
        };
        let written = self.briefly(|operator| operator.set_data(znode(server), data).is_ok());
        self.at_once(id, written);
    }

    /// Changes the rights on the root: everybody loses one.
    pub(super) fn deny(&mut self, act: &Act, denied: i32, for_ms: u64) {
        let id = self.begin(act, None);
        self.denied.insert(id, denied);
        let has_effect = self.set_rights();
        if has_effect {
            self.recorder.took_effect(id);
        }
        self.lasts(id, for_ms, move |nemesis| {
            nemesis.denied.remove(&id);
            nemesis.set_rights();
        });
    }

    /// Gives everybody all rights but those that are denied at present. Whether that could be done: the root exists, and ZooKeeper
    /// is there.
    pub(super) fn set_rights(&mut self) -> bool {
        self.has_other_rights = self.is_away();
        let denied = self.denied.values().fold(0, |all, denied| all | denied);
        let everybody = Acl::new(permission::ALL & !denied, "world", "anyone");
        self.briefly(|operator| operator.set_acl(ROOT, vec![Acl::creator(), everybody]).is_ok())
    }

    /// Creates the znode of a server as soon as it is free, holds it, and lets it go.
    pub(super) fn rival(&mut self, act: &Act, server: u8, for_ms: u64) {
        let id = self.begin(act, Some(Who::Server(server)));
        let data = once::instance(&server::endpoint(port(server)), 1);
        let Some(operator) = self.somebody() else { return self.at_once(id, false) };
        let (recorder, leavers) = (self.recorder.clone(), self.leavers.clone());
        let (mut healed, mut deletions) = (self.healed.subscribe(), recorder.deletions());
        self.waiting.spawn(async move {
            let holds = async {
                while operator.create_ephemeral(znode(server), &data).is_err() {
                    deletions.changed().await;
                }
                recorder.took_effect(id);
                sleep(Duration::from_millis(for_ms)).await;
            };
            tokio::select! {
                biased;
                _ = healed.wait_for(|healed| *healed) => {}
                () = holds => {}
            }
            leavers.end(operator);
            recorder.fault_over(id);
        });
    }

    pub(super) fn foreign(&mut self, act: &Act, for_ms: u64) {
        let id = self.begin(act, None);
        self.for_a_while(id, &format!("lock-{id}"), b"held", for_ms);
    }

    pub(super) fn impostor(&mut self, act: &Act, for_ms: u64) {
        let id = self.begin(act, None);
        let name = format!("127.0.0.1:{}", 7000 + id % 1000);
        self.for_a_while(id, &name, &once::instance(&name, 100), for_ms);
    }

    /// Instances of others, which answer calls while they are registered.
    pub(super) fn crowd(&mut self, act: &Act, count: u8, for_ms: u64) {
        let id = self.begin(act, None);
        let Some(operator) = self.somebody() else { return self.at_once(id, false) };
        let names: Vec<_> = (0..count).map(|n| format!("10.{}.{}.{n}:9000", id / 256, id % 256)).collect();
        let mut created = 0;
        for name in &names {
            if operator.create_ephemeral(format!("{ROOT}/{name}"), once::instance(name, 100)).is_ok() {
                self.callees.listen(name, "a crowd");
                created += 1;
            }
        }
        if created > 0 {
            self.recorder.took_effect(id);
        }
        self.lasts(id, for_ms, move |nemesis| {
            names.iter().for_each(|name| nemesis.callees.close(name));
            nemesis.leavers.end(operator);
        });
    }

    pub(super) fn release(&mut self, act: &Act, client: u8) {
        let id = self.begin(act, Some(Who::Client(client)));
        let released = self.clients.get(usize::from(client)).is_some_and(super::client::Client::release);
        self.at_once(id, released);
    }
}

/// Whether there were any.
fn delete_children(operator: &Operator) -> bool {
    let children = operator.children(ROOT);
    children.iter().for_each(|child| drop(operator.delete(format!("{ROOT}/{child}"))));
    !children.is_empty()
}
