//! What happens between a process and the ensemble: sessions that end, connections that break, requests and replies that
//! are lost.

use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::SESSION;
use zk_testing::proxy::{Action, Match, Op};
use zk_testing::raw::{self, Client};
use zk_testing::{expire_session, holds_within};

use super::{Broken, Undo};
use crate::fleet::Fleet;
use crate::kinds::Kind;
use crate::settings::{AUDIT, ROOT};

/// How long a request may be waited for that something is to happen to.
const PATIENCE: Duration = Duration::from_secs(4);

impl Fleet {
    /// Ends the session of a process, so many times; each time the one that it has by then.
    pub(super) async fn expire(&mut self, at: usize, times: u32) -> Result<Broken, String> {
        let mut ended = 0;
        let mut last = None;
        for _ in 0..times {
            let mut session = None;
            let member = &self.members[at];
            let another = async || {
                session = member.session();
                session.is_some() && session != last
            };
            if holds_within("there is another session", PATIENCE, another).await.is_err() {
                break;
            }
            let Some(session) = session else { break };
            last = Some(session);
            ended += u32::from(self.steal(session).await);
        }
        Ok(Broken::at_once(ended == times))
    }

    /// Ends a session on the server; false if it had ended before.
    async fn steal(&mut self, session: i64) -> bool {
        self.stolen.insert(session);
        for server in &self.servers {
            match expire_session(*server, session).await {
                Ok(()) => return true,
                Err(raw::Error::Io(_)) => {}
                Err(_) => break,
            }
        }
        false
    }

    pub(super) async fn disturb(&mut self, kind: Kind, at: usize) -> Result<Broken, String> {
        let links = &self.members[at].links;
        let was_open = links.open() > 0;
        let failed = |error: std::io::Error| error.to_string();
        match kind {
            Kind::Cut => {
                links.cut().await;
                return Ok(Broken::at_once(was_open));
            }
            Kind::Isolate => links.refuse().await,
            Kind::Stall => links.hang().await.map_err(failed)?,
            // A round trip below 7/20 of a session timeout is endured.
            _ => links.delay(SESSION / 20).await.map_err(failed)?,
        }
        let hold = self.part(20, 300);
        Ok(Broken { hold, undo: Undo::Pass(at), took_effect: was_open })
    }

    /// A server has to create its znode again, and something happens to that request.
    pub(super) async fn lose_create(&mut self, kind: Kind, at: usize) -> Result<Broken, String> {
        let action = if kind == Kind::CutBefore { Action::CutBeforeRequest } else { Action::CutAfterRequest };
        let ambush = self.members[at].links.on(&Match::creates(), action);
        self.delete_znode(at).await?;
        let took_effect = ambush.wait_fired(PATIENCE).await;
        ambush.lift();
        if kind == Kind::ExpireAtRequest
            && let Some(session) = self.members[at].session()
        {
            return Ok(Broken::at_once(self.steal(session).await && took_effect));
        }
        Ok(Broken::at_once(took_effect))
    }

    /// A server leaves, and does not get the reply to its deletion.
    pub(super) async fn lose_delete(&mut self, at: usize) -> Result<Broken, String> {
        let ambush = self.members[at].links.on(&Match::op(Op::Multi), Action::CutAfterRequest);
        self.members[at].tell_to_stop();
        self.members[at].ended(Duration::from_secs(6)).await?;
        ambush.lift();
        Ok(Broken { hold: self.part(5, 80), undo: Undo::Start(vec![at]), took_effect: ambush.fired() })
    }

    /// The znode of a server is deleted, and the server is not told. It finds out at its next audit.
    pub(super) async fn swallow(&mut self, at: usize) -> Result<Broken, String> {
        let ambush = self.members[at].links.drop_events();
        self.delete_znode(at).await?;
        let took_effect = ambush.wait_fired(PATIENCE).await;
        Ok(Broken { hold: AUDIT + AUDIT / 2, undo: Undo::Lift(ambush), took_effect })
    }

    pub(super) async fn delete_znode(&mut self, at: usize) -> Result<bool, String> {
        let Some(endpoint) = self.members[at].endpoint else { return Ok(false) };
        let path = format!("{ROOT}/{endpoint}");
        let delete = async |client: &Client| match client.delete(&path, None).await {
            Err(raw::Error::NoNode) => Ok(false),
            done => done.map(|()| true),
        };
        self.others.operate(delete).await
    }

    /// Lets every process go on, and everything pass: at the end, whatever was done before.
    pub(crate) async fn heal(&mut self) -> Result<(), String> {
        for member in &mut self.members {
            member.links.pass().await.map_err(|error| error.to_string())?;
            member.signal(Signal::SIGCONT);
            if !member.runs() {
                member.start()?;
            }
        }
        self.start_ensemble().await
    }
}
