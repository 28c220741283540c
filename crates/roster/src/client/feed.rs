//! Passes what discovery finds on to the balancer, change by change.

use std::pin::pin;
use std::sync::Arc;

use balance::{Balancer, EntryChange};
use discovery::{Discovery, Snapshot, View, diff};
use futures_util::FutureExt;
use instance::{Endpoint, Instance};
use tokio::sync::watch;
use tracing::info;

use super::member::Member;
use super::members::{MemberSet, MemberSource};
use crate::saved::SavedList;

/// Passes the saved list on, if there is one before ZooKeeper lists the service, and then every new set of instances. Ends when
/// following does.
pub(super) async fn feed(
    balancer: &Balancer<Endpoint, Member>,
    discovery: &Discovery,
    saved: impl Future<Output = Option<SavedList>>,
    members: watch::Sender<Arc<MemberSet>>,
) {
    let mut views = discovery.views();
    let mut fed = Fed::default();
    let mut saved = pin!(saved.fuse());
    loop {
        let view = views.borrow_and_update().clone();
        let was_saved = matches!(fed.members.source(), MemberSource::Saved { .. });
        if let Some(changes) = fed.changes(&view) {
            if was_saved {
                let instances = fed.members.len();
                info!(
                    instances,
                    "roster: ZooKeeper has listed the service, the saved list is not used any more"
                );
            }
            balancer.apply(changes);
            // Afterwards: who learns here that an endpoint has gone is not given it again.
            members.send_if_modified(|members| fed.publish(members));
        }
        tokio::select! {
            biased;
            changed = views.changed() => if changed.is_err() {
                return;
            },
            Some(list) = &mut saved, if fed.is_new() => {
                balancer.apply(fed.saved(list));
                members.send_if_modified(|members| fed.publish(members));
            }
        }
    }
}

/// What the balancer has been told.
#[derive(Debug, Default)]
struct Fed {
    members: MemberSet,
    snapshot: Option<Arc<Snapshot>>,
    /// Sorted.
    held: Vec<Endpoint>,
}

impl Fed {
    /// Whether nothing has been told.
    fn is_new(&self) -> bool {
        self.members.source() == MemberSource::NotSynced
    }

    /// The changes that lead to the saved list. It comes before any view, or not at all.
    fn saved(&mut self, list: SavedList) -> Vec<EntryChange<Endpoint, Member>> {
        self.members = MemberSet::saved(Arc::new(list));
        let member = |instance: &Arc<Instance>| {
            EntryChange::Insert(instance.endpoint().clone(), Member::new(Arc::clone(instance), false))
        };
        self.members.instances().map(member).collect()
    }

    /// The changes that lead to a view; `None` while nothing is known.
    fn changes(&mut self, view: &View) -> Option<Vec<EntryChange<Endpoint, Member>>> {
        let now = view.snapshot.as_ref()?;
        let member = |instance: &Arc<Instance>| {
            let endpoint = instance.endpoint().clone();
            let is_held = view.is_held(&endpoint);
            EntryChange::Insert(endpoint, Member::new(Arc::clone(instance), is_held))
        };
        let mut changes = Vec::new();
        match &self.snapshot {
            None => {
                let saved = self.members.instances().map(|instance| instance.endpoint());
                let gone = saved.filter(|endpoint| now.get(endpoint).is_none());
                changes.extend(gone.cloned().map(EntryChange::Remove));
                changes.extend(now.instances().map(member));
            }
            Some(before) if Arc::ptr_eq(before, now) => {}
            Some(before) => {
                for change in diff(before, now) {
                    match change {
                        discovery::Change::Added(instance)
                        | discovery::Change::Updated { new: instance, .. } => changes.push(member(&instance)),
                        discovery::Change::Removed(instance) => {
                            changes.push(EntryChange::Remove(instance.endpoint().clone()));
                        }
                        discovery::Change::Reset(_) => unreachable!("no difference is a whole set"),
                    }
                }
            }
        }
        // Those that begin or end to be held are in the set before and after. Both lists are sorted, and may be as long as the set.
        let was_held = |endpoint: &Endpoint| self.held.binary_search(endpoint).is_ok();
        let differs = |endpoint: &&Endpoint| was_held(endpoint) != view.is_held(endpoint);
        let both = self.held.iter().chain(view.held_endpoints());
        changes.extend(both.filter(differs).filter_map(|endpoint| now.get(endpoint)).map(member));
        self.members = MemberSet::listed(Arc::clone(now));
        (self.snapshot, self.held) = (Some(Arc::clone(now)), view.held_endpoints().to_vec());
        Some(changes)
    }

    /// Makes `members` what was told. Returns whether it was not.
    fn publish(&self, members: &mut Arc<MemberSet>) -> bool {
        let differs = **members != self.members;
        if differs {
            *members = Arc::new(self.members.clone());
        }
        differs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, SystemTime};

    use balance::{BalancerConfig, EndpointInfo};
    use discovery::Records;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};
    use tokio::time::{sleep, timeout};
    use zk_simulated::{Operator, SimulatedEnsemble};

    use super::*;

    const ROOT: &str = "/go_servers";
    const LONG: Duration = Duration::from_secs(60);

    fn node(port: u16) -> String {
        format!("{ROOT}/127.0.0.1:{port}")
    }

    fn record(weight: u32, is_draining: bool) -> String {
        let tags = if is_draining { r#","Tags":{"owner.draining":"true"}"# } else { "" };
        format!(r#"{{"Weight":{weight}{tags}}}"#)
    }

    /// What a view shows: each instance, and whether it is held.
    type Shown = BTreeMap<Endpoint, (Arc<Instance>, bool)>;

    fn shown(view: &View) -> Shown {
        let all = view.snapshot.iter().flat_map(|snapshot| snapshot.instances());
        all.map(|one| (one.endpoint().clone(), (Arc::clone(one), view.is_held(one.endpoint())))).collect()
    }

    fn follow(ensemble: &SimulatedEnsemble) -> Discovery {
        let config = discovery::DiscoveryConfig::new(ROOT.parse().unwrap()).with_records(Records::Read);
        Discovery::start(&ensemble.zk(), config.with_hold(Duration::from_secs(2)).unwrap())
    }

    async fn view_where(discovery: &Discovery, wanted: impl Fn(&View) -> bool) -> Arc<View> {
        let mut views = discovery.views();
        timeout(LONG, views.wait_for(|view| wanted(view))).await.expect("in time").unwrap().clone()
    }

    /// A balancer, and what it was told, change by change.
    struct Told {
        fed: Fed,
        balancer: Balancer<Endpoint, Member>,
        servers: Shown,
    }

    impl Told {
        fn new() -> Self {
            let balancer = Balancer::new(BalancerConfig::default());
            Self { fed: Fed::default(), balancer, servers: Shown::new() }
        }

        /// Passes a view on; returns how many changes that took.
        fn tell(&mut self, view: &View) -> Option<usize> {
            let changes = self.fed.changes(view)?;
            let count = changes.len();
            self.apply(changes);
            Some(count)
        }

        fn apply(&mut self, changes: Vec<EntryChange<Endpoint, Member>>) {
            for change in &changes {
                match change {
                    EntryChange::Insert(endpoint, member) => {
                        self.servers
                            .insert(endpoint.clone(), (Arc::clone(member.instance()), member.is_held()));
                    }
                    EntryChange::Remove(endpoint) => {
                        assert!(self.servers.remove(endpoint).is_some(), "{endpoint} was never there");
                    }
                }
            }
            self.balancer.apply(changes);
        }

        fn assert_shows(&self, view: &View, what: &str) {
            let wanted = shown(view);
            assert_eq!(self.servers, wanted, "{what}");
            let members = &self.fed.members;
            assert!(members.instances().eq(wanted.values().map(|(instance, _)| instance)), "{what}");
            assert!(wanted.keys().all(|endpoint| members.contains(endpoint)), "{what}");
            let mut status: Vec<_> =
                self.balancer.status().into_iter().map(|one| (one.key, one.weight)).collect();
            status.sort();
            let weights =
                wanted.iter().map(|(endpoint, (instance, _))| (endpoint.clone(), instance.weight()));
            assert!(status.iter().cloned().eq(weights), "{what}: {status:?}");
        }
    }

    /// One change by others; some are mass disappearances.
    fn change(operator: &Operator, rng: &mut SmallRng) {
        let there = operator.children(ROOT);
        let port = rng.random_range(1..=6);
        let data = record(rng.random_range(0..3), rng.random_bool(0.3));
        let is_there = there.contains(&format!("127.0.0.1:{port}"));
        match (is_there, rng.random_range(0..10)) {
            (_, 0) => there.iter().for_each(|name| operator.delete(format!("{ROOT}/{name}")).unwrap()),
            (false, _) => drop(operator.create_ephemeral(node(port), data).unwrap()),
            (true, 1..=3) => drop(operator.set_data(node(port), data).unwrap()),
            (true, 4..=5) => operator.take_over(node(port), data).unwrap(),
            (true, 6..=7) => operator.write_and_delete(node(port), "").unwrap(),
            (true, _) => operator.delete(node(port)).unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_views_come_the_balancer_knows_what_the_last_one_shows() {
        let (mut held, mut ended, mut draining) = (0, 0, 0);
        for seed in 0..20 {
            let ensemble = SimulatedEnsemble::new(seed);
            let discovery = follow(&ensemble);
            let (operator, mut rng) = (ensemble.operator(), SmallRng::seed_from_u64(seed));
            let mut told = Told::new();
            assert_eq!(told.tell(&discovery.view()), None, "nothing is known");
            let mut were_held = 0;
            for step in 0..200 {
                change(&operator, &mut rng);
                if rng.random_bool(0.02) {
                    ensemble.cut();
                }
                // Of several views between two looks the feed sees the last.
                let wait = if rng.random_bool(0.1) { 0..3_000 } else { 0..50 };
                sleep(Duration::from_millis(rng.random_range(wait))).await;
                let view = discovery.view();
                told.tell(&view);
                told.assert_shows(&view, &format!("seed {seed}, step {step}"));
                assert_eq!(told.tell(&view).unwrap_or(0), 0, "the same view is no change");
                held += view.held;
                ended += usize::from(view.held < were_held && !told.servers.is_empty());
                were_held = view.held;
                draining += told.servers.values().filter(|(instance, _)| instance.is_draining()).count();
            }
            discovery.shutdown().await;
        }
        println!("held {held}, holds ended {ended}, draining {draining}");
        assert!(held > 100 && ended > 10 && draining > 100);
    }

    /// What the first list of ZooKeeper makes of a saved one.
    #[tokio::test(start_paused = true)]
    async fn a_saved_list_is_used_until_the_first_list_of_zookeeper_also_if_that_is_empty() {
        for registered in [&[2, 3][..], &[]] {
            let ensemble = SimulatedEnsemble::new(7);
            let (operator, discovery) = (ensemble.operator(), follow(&ensemble));
            operator.create(ROOT, "").unwrap();
            for port in registered {
                operator.create_ephemeral(node(*port), record(7, false)).unwrap();
            }
            let mut told = Told::new();
            let saved = [1, 2].map(|port| Instance::new(format!("127.0.0.1:{port}").parse().unwrap()));
            let changes = told.fed.saved(SavedList::new(saved, SystemTime::UNIX_EPOCH));
            assert_eq!(changes.len(), 2);
            told.apply(changes);
            let view = view_where(&discovery, |view| view.snapshot.is_some()).await;
            assert_eq!(shown(&view).len(), registered.len());
            told.tell(&view);
            told.assert_shows(&view, "after the first list");
            assert_eq!(told.fed.members.source(), MemberSource::ZooKeeper);
            discovery.shutdown().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_saved_list_that_comes_after_the_first_list_of_zookeeper_is_not_used() {
        let ensemble = SimulatedEnsemble::new(7);
        let (operator, discovery) = (ensemble.operator(), follow(&ensemble));
        operator.create_ephemeral(node(1), record(7, false)).unwrap();
        let balancer = Balancer::new(BalancerConfig::default());
        let (members_tx, mut members) = watch::channel(Arc::<MemberSet>::default());
        let saved = async {
            sleep(LONG).await;
            let late = Instance::new("127.0.0.1:9".parse().unwrap());
            Some(SavedList::new([late], SystemTime::UNIX_EPOCH))
        };
        let check = async {
            timeout(LONG / 2, members.wait_for(|members| members.len() == 1))
                .await
                .expect("in time")
                .unwrap();
            sleep(2 * LONG).await;
            discovery.clone().shutdown().await;
        };
        tokio::join!(feed(&balancer, &discovery, saved, members_tx), check);
        let known = members.borrow().clone();
        assert_eq!((known.source(), known.len()), (MemberSource::ZooKeeper, 1));
        assert_eq!(balancer.status().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_that_changes_costs_one_change_and_says_what_the_balancer_needs() {
        let ensemble = SimulatedEnsemble::new(7);
        let (operator, discovery) = (ensemble.operator(), follow(&ensemble));
        for port in 1..=50 {
            operator.create_ephemeral(node(port), record(7, false)).unwrap();
        }
        let mut told = Told::new();
        let view = view_where(&discovery, |view| shown(view).len() == 50).await;
        assert_eq!(told.tell(&view), Some(50));
        let leaving = r#"{"Weight":3,"Tags":{"zone":"a","owner.draining":"true","owner.incarnation":"000102030405060708090a0b0c0d0e0f"}}"#;
        operator.set_data(node(1), leaving).unwrap();
        let is_draining = |view: &View| shown(view).values().any(|(instance, _)| instance.is_draining());
        let view = view_where(&discovery, is_draining).await;
        let mut changes = told.fed.changes(&view).unwrap();
        let (Some(EntryChange::Insert(endpoint, server)), []) = (changes.pop(), &*changes) else {
            panic!("{changes:?}")
        };
        assert_eq!((endpoint.port(), server.weight(), server.tag("zone")), (1, 3, Some("a")));
        assert_eq!((server.is_draining(), server.is_held()), (true, false));
        assert_eq!(server.incarnation(), Some(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f));
        discovery.shutdown().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_draining_server_is_not_called_and_a_held_one_only_where_no_other_is() {
        let ensemble = SimulatedEnsemble::new(7);
        let (operator, discovery) = (ensemble.operator(), follow(&ensemble));
        for port in 1..=5 {
            operator.create_ephemeral(node(port), record(100, port == 5)).unwrap();
        }
        let mut told = Told::new();
        told.tell(&*view_where(&discovery, |view| shown(view).len() == 5).await);
        let mut reader = told.balancer.reader();
        let mut called = || -> Vec<u16> {
            let mut ports: Vec<_> =
                (0..200).filter_map(|_| reader.choose().ok().map(|entry| entry.key().port())).collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        assert_eq!(called(), [1, 2, 3, 4]);
        (1..=3).for_each(|port| operator.delete(node(port)).unwrap());
        told.tell(&*view_where(&discovery, |view| view.held == 3).await);
        assert_eq!(called(), [4]);
        operator.write_and_delete(node(4), "").unwrap();
        told.tell(&*view_where(&discovery, |view| shown(view).len() == 4).await);
        assert_eq!(called(), [1, 2, 3], "what is held is better than nobody");
        told.tell(&*view_where(&discovery, |view| shown(view).len() == 1).await);
        assert_eq!(called(), [0; 0], "the one that is left is draining");
        discovery.shutdown().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_feed_ends_when_following_does() {
        let ensemble = SimulatedEnsemble::new(7);
        let (operator, discovery) = (ensemble.operator(), follow(&ensemble));
        operator.create_ephemeral(node(1), record(7, false)).unwrap();
        let balancer = Balancer::new(BalancerConfig::default());
        let feeding = async {
            view_where(&discovery, |view| shown(view).len() == 1).await;
            discovery.clone().shutdown().await;
        };
        let (members_tx, members) = watch::channel(Arc::default());
        let feed = feed(&balancer, &discovery, std::future::ready(None), members_tx);
        timeout(LONG, async { tokio::join!(feed, feeding) }).await.expect("an end");
        assert_eq!(balancer.status().len(), 1);
        assert_eq!((members.borrow().len(), members.has_changed().is_err()), (1, true));
    }
}
