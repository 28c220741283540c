use super::dice::Dice;
use crate::plan::{Act, Loss, Spec, Who};

/// A small story of faults that belong together, while it is written.
pub(super) struct Scene<'a> {
    pub(super) spec: &'a Spec,
    pub(super) dice: &'a mut Dice,
    /// What is done, and when.
    pub(super) acts: Vec<(u64, Act)>,
    /// Which servers run, as far as one can say beforehand.
    running: &'a mut Vec<bool>,
    /// The moment of the next act.
    at: u64,
}

impl<'a> Scene<'a> {
    pub(super) fn new(spec: &'a Spec, dice: &'a mut Dice, running: &'a mut Vec<bool>, at: u64) -> Self {
        Self { spec, dice, acts: Vec::new(), running, at }
    }

    // === What is done ===

    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Kill(n) | Act::Stop(n) => self.running[usize::from(n)] = false,
            Act::Start(n) => self.running[usize::from(n)] = true,
            _ => {}
        }
        self.acts.push((self.at, act));
    }

    /// Lets so many milliseconds go by before the next act.
    pub(super) fn wait(&mut self, least: u64, most: u64) {
        self.at += self.dice.range(least, most);
    }

    /// The same in percent of the session timeout.
    pub(super) fn wait_of_timeout(&mut self, least: u64, most: u64) {
        self.at += self.of_timeout(least, most);
    }

    // === To whom ===

    /// A server that runs, if one does; else any.
    pub(super) fn server(&mut self) -> u8 {
        self.server_that(true).unwrap_or_else(|| self.any_server())
    }

    /// A server that does not run.
    pub(super) fn dead_server(&mut self) -> Option<u8> {
        self.server_that(false)
    }

    fn server_that(&mut self, runs: bool) -> Option<u8> {
        let those: Vec<u8> =
            (0..).zip(&*self.running).filter(|(_, is)| **is == runs).map(|(n, _)| n).collect();
        (!those.is_empty()).then(|| self.dice.pick(&those))
    }

    fn any_server(&mut self) -> u8 {
        self.dice.range(0, self.spec.servers.len() as u64 - 1) as u8
    }

    pub(super) fn servers(&self) -> u8 {
        self.spec.servers.len() as u8
    }

    pub(super) fn clients(&self) -> u8 {
        self.spec.clients.len() as u8
    }

    pub(super) fn client(&mut self) -> u8 {
        self.dice.range(0, self.spec.clients.len() as u64 - 1) as u8
    }

    /// A ZooKeeper server.
    pub(super) fn zookeeper(&mut self) -> u8 {
        self.dice.range(0, u64::from(self.spec.ensemble) - 1) as u8
    }

    /// A server that runs, or a client.
    pub(super) fn anybody(&mut self) -> Who {
        if self.dice.chance(50) { Who::Server(self.server()) } else { Who::Client(self.client()) }
    }

    // === How ===

    /// So many percent of the session timeout, in milliseconds.
    pub(super) fn of_timeout(&mut self, least: u64, most: u64) -> u64 {
        self.dice.range(least, most) * self.spec.session_timeout_ms / 100
    }

    /// How long something lasts: a moment, nearly as long as the session timeout, or longer, which ends sessions.
    pub(super) fn lasting(&mut self) -> u64 {
        let (least, most) =
            self.dice.weighted(&[(4, (3, 35)), (3, (50, 95)), (3, (105, 160)), (1, (160, 260))]);
        self.of_timeout(least, most)
    }

    pub(super) fn loss(&mut self) -> Loss {
        self.dice.pick(&Loss::ALL)
    }

    pub(super) fn weight(&mut self) -> u32 {
        self.dice.pick(&[0, 1, 10, 50, 100, 200, 1_000])
    }
}
