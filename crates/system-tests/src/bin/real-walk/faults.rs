//! What is done to the fleet, one kind of fault after the other.
//!
//! A fault is injected, proves that it took effect, lasts for a while, and is undone.

mod ensemble;
mod links;
mod others;
mod processes;

use std::time::Duration;

use nix::sys::signal::Signal;
use oracle::What;
use rand::RngExt;
use system_tests::SESSION;
use tokio::time::timeout;
use zk_testing::raw::{self, Acl};

use crate::fleet::Fleet;
use crate::kinds::Kind;
use crate::links::Ambush;
use crate::member::{Member, Role};
use crate::settings::ROOT;

/// A fault that was injected.
#[derive(Debug)]
pub(crate) struct Fault {
    /// One for each process that it concerns, or one for all.
    ids: Vec<u32>,
    /// How long it lasts.
    pub(crate) hold: Duration,
    undo: Undo,
    /// The processes that it is at work on.
    members: Vec<usize>,
    pub(crate) took_effect: bool,
    /// What it does, for people.
    pub(crate) text: String,
}

/// What a kind of fault has done.
#[derive(Debug)]
struct Broken {
    hold: Duration,
    undo: Undo,
    took_effect: bool,
}

/// How it is undone.
#[derive(Debug)]
enum Undo {
    Nothing,
    /// These processes are started again.
    Start(Vec<usize>),
    /// A process goes on.
    Continue(usize),
    /// Everything passes between a process and the ensemble.
    Pass(usize),
    /// What waits for a request waits no more.
    Lift(Ambush),
    /// All servers of the ensemble run.
    StartEnsemble,
    /// A server of the ensemble goes on.
    Resume(usize),
    /// Everybody may do everything.
    OpenRoot,
    /// The session of somebody else ends, and its znodes with it.
    Leave(Box<raw::Client>),
}

impl Fleet {
    /// Injects a fault of a kind; `None` if there is nobody that it could happen to.
    pub(crate) async fn inject(&mut self, next_id: &mut u32, kind: Kind) -> Result<Option<Fault>, String> {
        let Some(members) = self.target(kind) else { return Ok(None) };
        let names: Vec<_> = members.iter().map(|member| self.members[*member].name.clone()).collect();
        let text = format!("{kind} {}", names.join(", ")).trim().to_owned();
        let concerned = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        let mut ids = Vec::new();
        for process in concerned {
            let (id, fault) = (*next_id, kind.known_as().to_owned());
            self.recorder.record(What::Fault { id, fault, process, text: text.clone() });
            ids.push(id);
            *next_id += 1;
        }
        self.busy.extend(&members);
        let Broken { hold, undo, took_effect } = self.break_it(kind, &members).await?;
        if took_effect {
            ids.iter().for_each(|id| self.recorder.record(What::TookEffect { id: *id }));
        }
        Ok(Some(Fault { ids, hold, undo, members, took_effect, text }))
    }

    /// Undoes a fault.
    pub(crate) async fn undo(&mut self, fault: Fault) -> Result<(), String> {
        match fault.undo {
            Undo::Nothing => {}
            Undo::Start(members) => {
                for member in members {
                    if !self.members[member].runs() {
                        self.members[member].start()?;
                    }
                }
            }
            Undo::Continue(member) => self.members[member].signal(Signal::SIGCONT),
            Undo::Pass(member) => {
                self.members[member].links.pass().await.map_err(|error| error.to_string())?;
            }
            Undo::Lift(ambush) => ambush.lift(),
            Undo::StartEnsemble => self.start_ensemble().await?,
            Undo::Resume(server) => {
                self.ensemble.server(server).resume().map_err(|error| error.to_string())?;
            }
            Undo::OpenRoot => {
                let open = async |client: &raw::Client| match client.set_acl(ROOT, &[Acl::open()]).await {
                    Err(raw::Error::NoNode) => Ok(()),
                    done => done.map(drop),
                };
                self.others.operate(open).await?;
            }
            // If its connection was lost, it expires.
            Undo::Leave(client) => drop(timeout(SESSION, client.close()).await),
        }
        fault.ids.iter().for_each(|id| self.recorder.record(What::FaultOver { id: *id }));
        for member in fault.members {
            self.busy.remove(&member);
        }
        Ok(())
    }

    /// Chooses the processes that a fault of a kind happens to; none if it happens to the ensemble.
    fn target(&mut self, kind: Kind) -> Option<Vec<usize>> {
        use Kind as K;
        let able = match kind {
            K::LeaderDown
            | K::RollingRestart
            | K::ServerHangs
            | K::Away
            | K::AwayForLong
            | K::DenyCreate
            | K::DenyRead
            | K::DeleteAll
            | K::DeleteRoot
            | K::Foreign
            | K::Crowd => return Some(vec![]),
            K::KillAll | K::Deploy => {
                let servers = self.indices(|member| member.role.is_server());
                return Some(servers).filter(|servers| !servers.is_empty());
            }
            K::Cut | K::Isolate | K::Stall | K::Slow | K::Expire => self.indices(|_| true),
            K::Reweigh => self.indices(|member| member.role == Role::Server("ours")),
            _ => self.indices(|member| member.role.is_server()),
        };
        (!able.is_empty()).then(|| vec![able[self.random.random_range(0..able.len())]])
    }

    /// Those that run and that no fault is at work on.
    fn indices(&self, wanted: impl Fn(&Member) -> bool) -> Vec<usize> {
        let free = |at: &usize| !self.busy.contains(at) && self.members[*at].runs();
        (0..self.members.len()).filter(|at| wanted(&self.members[*at])).filter(free).collect()
    }

    /// A part of the session timeout between two numbers of hundredths.
    fn part(&mut self, from: u32, to: u32) -> Duration {
        SESSION * self.random.random_range(from..=to) / 100
    }

    async fn break_it(&mut self, kind: Kind, members: &[usize]) -> Result<Broken, String> {
        use Kind as K;
        let one = members.first().copied();
        match (kind, one) {
            (K::Kill | K::KillForLong | K::KillAll, _) => self.kill(kind, members).await,
            (K::Pause | K::PauseForLong, Some(one)) => self.pause(kind, one).await,
            (K::Stop, Some(one)) => self.stop_one(one).await,
            (K::Deploy, _) => self.deploy(members).await,
            (K::Reweigh, Some(one)) => Ok(self.reweigh(one)),
            (K::Rival, Some(one)) => self.rival(one).await,
            (K::Expire, Some(one)) => self.expire(one, 1).await,
            (K::ExpireAgain, Some(one)) => self.expire(one, 3).await,
            (K::Cut | K::Isolate | K::Stall | K::Slow, Some(one)) => self.disturb(kind, one).await,
            (K::CutBefore | K::CutAfter | K::ExpireAtRequest, Some(one)) => self.lose_create(kind, one).await,
            (K::CutAfterDelete, Some(one)) => self.lose_delete(one).await,
            (K::Swallow, Some(one)) => self.swallow(one).await,
            (K::DeleteZnode | K::Overwrite, Some(one)) => self.meddle(kind, one).await,
            (K::LeaderDown, _) => self.leader_down().await,
            (K::RollingRestart, _) => self.rolling_restart().await,
            (K::ServerHangs, _) => self.server_hangs().await,
            (K::Away | K::AwayForLong, _) => self.away(kind).await,
            (K::DenyCreate | K::DenyRead, _) => self.deny(kind).await,
            (K::DeleteAll | K::DeleteRoot, _) => self.delete(kind).await,
            (K::Foreign | K::Crowd, _) => self.strangers(kind).await,
            (kind, None) => Err(format!("{kind} finds nobody to happen to")),
        }
    }
}

impl Broken {
    /// Nothing is left to be undone.
    fn at_once(took_effect: bool) -> Self {
        Self { hold: Duration::ZERO, undo: Undo::Nothing, took_effect }
    }
}
