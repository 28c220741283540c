use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::Instant;
use zk_core::{EventKind, SessionId, Sources, Zk, ZnodePath};

use crate::chaos::Chaos;
use crate::client::Client;
use crate::commit::{Commit, Restart};
use crate::injection::Injection;
use crate::latest_log;
use crate::operator::Operator;
use crate::record::{Note, Remark, Request};
use crate::rule::{Fault, Match};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::world::EPOCH_MS;

/// An ensemble in virtual time. Cheap to clone; clones are the same ensemble.
#[derive(Clone)]
pub struct SimulatedEnsemble {
    shared: Arc<Shared>,
    seed: u64,
    begun: Instant,
    session_timeout: Duration,
}

impl SimulatedEnsemble {
    pub(crate) fn begin(settings: Settings) -> Self {
        let (seed, session_timeout) = (settings.seed, settings.session_timeout);
        let ensemble = Self { shared: Shared::start(settings), seed, begun: Instant::now(), session_timeout };
        latest_log::remember(&ensemble.shared);
        ensemble
    }

    /// Another client.
    pub fn client(&self) -> Client {
        let number = self.shared.with(|world, _| world.next_client());
        Client::new(self.shared.clone(), number, self.session_timeout)
    }

    /// A link of a new client, whose [`Sources`] follow from the seed and the number of the client.
    pub fn zk(&self) -> Zk {
        self.start_link(self.client())
    }

    /// A link of a client.
    pub fn start_link(&self, client: Client) -> Zk {
        let sources = self.sources(client.number());
        Zk::start_on(Arc::new(client), sources)
    }

    /// Randomness that follows from the seed and a number, and the virtual wall-clock time.
    pub fn sources(&self, number: u64) -> Sources {
        let begun = self.begun;
        let off = self.shared.with(|world, _| world.clock(number));
        Sources::seeded(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).with_wall_clock(move || {
            let elapsed = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX - EPOCH_MS);
            let now = (EPOCH_MS + elapsed).saturating_add(off.load(Ordering::Relaxed));
            UNIX_EPOCH + Duration::from_millis(u64::try_from(now).unwrap_or_default())
        })
    }

    /// Lets the wall clock of the [`sources`](Self::sources) of a client step, forwards or backwards.
    pub fn step_clock(&self, client: u64, ms: i64) {
        let off = self.shared.with(|world, _| world.clock(client));
        off.fetch_add(ms, Ordering::Relaxed);
    }

    /// Somebody who changes znodes without a link: at once, while the ensemble is there.
    pub fn operator(&self) -> Operator {
        let connection = self.shared.with(|world, now| world.open_operator(now));
        Operator::new(self.shared.clone(), connection)
    }

    /// Lets a fault happen to requests. Of several that fit, the one that was added first decides.
    pub fn fault(&self, matching: impl Into<Match>, fault: Fault) -> Injection {
        let rule = self.shared.with(|world, _| world.rules.add(matching.into(), fault));
        Injection::new(self.shared.clone(), rule)
    }

    /// Lets the next event of this kind about this znode get lost on its way to a client.
    pub fn swallow_event(&self, path: &ZnodePath, kind: EventKind) -> Injection {
        let rule = self.shared.with(|world, _| world.rules.swallow(None, Some((path.clone(), kind))));
        Injection::new(self.shared.clone(), rule)
    }

    /// As [`swallow_event`](Self::swallow_event), on its way to this client.
    pub fn swallow_event_of(&self, client: u64, path: &ZnodePath, kind: EventKind) -> Injection {
        let rule = self.shared.with(|world, _| world.rules.swallow(Some(client), Some((path.clone(), kind))));
        Injection::new(self.shared.clone(), rule)
    }

    /// Lets the next event get lost on its way to a client, whatever it is about.
    pub fn swallow_next_event_of(&self, client: u64) -> Injection {
        let rule = self.shared.with(|world, _| world.rules.swallow(Some(client), None));
        Injection::new(self.shared.clone(), rule)
    }

    /// Lets faults happen at random to requests that no [`fault`](Self::fault) chooses, from now on;
    /// `Chaos::default()` ends it.
    pub fn random_faults(&self, chaos: Chaos) {
        self.shared.with(|world, _| world.chaos = chaos);
    }

    /// Breaks all connections.
    pub fn cut(&self) {
        self.shared.with(|world, now| world.cut_all(None, now));
    }

    /// Breaks the connections of a client.
    pub fn cut_client(&self, client: u64) {
        self.shared.with(|world, now| world.cut_all(Some(client), now));
    }

    /// Refuses all attempts to connect, or no longer does.
    pub fn refuse_connects(&self, refuse: bool) {
        self.shared.with(|world, _| world.refusing_all = refuse);
    }

    /// Refuses the attempts of a client to connect, or no longer does.
    pub fn refuse_connects_of(&self, client: u64, refuse: bool) {
        self.shared.with(|world, _| {
            if refuse {
                world.refusing.insert(client);
            } else {
                world.refusing.remove(&client);
            }
        });
    }

    /// Cuts a client off: nothing travels between it and the ensemble, and no connection breaks. Its link notices after
    /// 2/5 of the session timeout, and its attempts to connect get no outcome.
    pub fn stall(&self, client: u64) {
        self.shared.with(|world, now| world.stall(client, now));
    }

    /// Ends a [`stall`](Self::stall): what has waited arrives, all at once.
    pub fn resume(&self, client: u64) {
        self.shared.with(|world, now| world.resume(client, now));
    }

    /// Kills the process of a client, as SIGKILL does: from now on nothing of it reaches the ensemble or the log, and
    /// nothing reaches its link, which notices nothing. Its session stays until it has been silent for too long.
    pub fn kill(&self, client: u64) {
        self.shared.with(|world, now| world.kill(client, now));
    }

    /// Stops all servers: connections break, attempts to connect are refused, and nothing expires.
    pub fn stop(&self) {
        self.shared.with(|world, now| world.stop(now));
    }

    /// Starts the servers, after a [`stop`](Self::stop) or at once after one. Sessions that the data know have their whole
    /// timeout before them again; the ids of new ones were never used before.
    pub fn start(&self, with: Restart) {
        self.shared.with(|world, now| world.start(with, now));
    }

    /// Takes a server down, or lets it come back with everything that has happened meanwhile. Its clients lose their connections. When
    /// it was the leader all clients do, until the others have elected another one; so they do when no majority of the servers
    /// is up. Servers count from 0. An ensemble of one server [stops](Self::stop), and [starts](Self::start) as it was.
    pub fn server_down(&self, server: usize, down: bool) {
        self.shared.with(|world, now| world.server_down(server, down, now));
    }

    /// Changes how much later than the leader a server applies a transaction, while it is a follower.
    pub fn set_follower_lag(&self, server: usize, lag: RangeInclusive<Duration>) {
        self.shared.with(|world, _| world.set_follower_lag(server, lag));
    }

    /// The server that leads; `None` while there is none.
    pub fn leader(&self) -> Option<usize> {
        self.shared.with(|world, _| world.leader_number())
    }

    /// The server that a client is connected to.
    pub fn server_of(&self, client: u64) -> Option<usize> {
        self.shared.with(|world, _| world.server_of(client))
    }

    /// Grants no session timeout above this one to those who connect from now on, or no longer does. Two ticks are granted in
    /// any case.
    pub fn clamp_timeouts(&self, longest: Option<Duration>) {
        self.shared.with(|world, _| world.clamp = longest);
    }

    /// Refuses clients that [authenticate](Client::authenticated) when they connect, or no longer does. Those that are
    /// connected stay so.
    pub fn refuse_authentication(&self, refuse: bool) {
        self.shared.with(|world, _| world.refusing_authentication = refuse);
    }

    /// Lets every round trip take so much longer, in whole milliseconds.
    pub fn set_extra_delay(&self, extra: Duration) {
        self.shared.with(|world, _| world.settings.times.extra = extra);
    }

    /// Calls `observer` at every transaction, when the leader carries it out, whoever learns of it and when. It must not call the
    /// ensemble, which is locked.
    pub fn observe(&self, observer: impl FnMut(&Commit) + Send + 'static) {
        self.shared.with(|world, _| world.observe(Box::new(observer)));
    }

    /// How many requests a client has sent, whatever became of them. Attempts to connect and pings do not count.
    pub fn request_count(&self, client: u64) -> u64 {
        self.shared.with(|world, _| world.request_count(client))
    }

    /// Adds a line of the caller's to the log; it is formatted when somebody reads the log.
    pub fn remark(&self, remark: impl fmt::Display + Send + 'static) {
        self.shared.with(|world, now| world.note(now, Note::Remark(Remark(Box::new(remark)))));
    }

    /// Ends a session now, as if it had been silent for too long.
    pub fn expire(&self, session: SessionId) {
        self.shared.with(|world, now| world.expire(session, now));
    }

    /// The session of a client, while it is connected.
    pub fn session_of(&self, client: u64) -> Option<SessionId> {
        self.shared.with(|world, _| world.session_of(client))
    }

    /// Changes how long a request and its reply take together.
    pub fn set_round_trip(&self, time: RangeInclusive<Duration>) {
        self.shared.with(|world, _| world.settings.times.round_trip = time);
    }

    /// Changes for how long a reply lies at its client while events overtake it.
    pub fn set_reply_lag(&self, lag: RangeInclusive<Duration>) {
        self.shared.with(|world, _| world.settings.times.reply_lag = lag);
    }

    /// The requests that have arrived and fit, in order. Of the match, `skip` and `times` do not count.
    pub fn requests(&self, matching: impl Into<Match>) -> Vec<Request> {
        let matching = matching.into();
        let fits = |request: &&Request| matching.fits(request.client, request.verb, &request.path);
        self.shared.with(|world, _| world.log.requests().filter(fits).cloned().collect())
    }

    /// Everything that has happened, a line each: the same seed and the same calls give the same lines.
    pub fn log(&self) -> Vec<String> {
        self.shared.with(|world, _| world.log.lines())
    }
}

impl fmt::Debug for SimulatedEnsemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedEnsemble").field("seed", &self.seed).finish()
    }
}
