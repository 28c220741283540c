//! What the recording processes of a walk have in common: who they are, their link, and its states.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use oracle::{LinkPhase, What};
use zk_core::{Phase, State};
use zk_roster::{Zk, ZkConfig};

use crate::clock::Clock;
use crate::flags::Flags;
use crate::recorder::Recorder;

/// Whatever ends a process of the walk.
pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// The flags of every recording process.
pub(crate) const FLAGS: [&str; 5] = ["--name", "--began", "--record", "--zookeeper", "--session-timeout"];

/// One recording process.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) recorder: Recorder,
    config: ZkConfig,
}

impl Child {
    pub(crate) fn new(flags: &Flags) -> Result<Self, Failed> {
        let recorder =
            Recorder::open(&flags.need::<PathBuf>("--record")?, Clock::began_at(flags.need("--began")?))?;
        let session = Duration::from_millis(flags.need("--session-timeout")?);
        let config = ZkConfig::new(&flags.need::<String>("--zookeeper")?)?.with_session_timeout(session)?;
        Ok(Self { name: flags.need("--name")?, recorder, config })
    }

    /// Starts the link, and records its states for as long as the process lives.
    pub(crate) fn link(&self) -> Result<Zk, Failed> {
        let zk = Zk::start(self.config.clone())?;
        let (mut states, child) = (zk.states(), self.clone());
        // Ends with the link.
        tokio::spawn(async move {
            let mut last = child.link_record(&states.latest());
            child.recorder.record(last.clone());
            while let Some(state) = states.changed().await {
                let link = child.link_record(&state);
                // The cause of the trouble may have changed, and nothing else.
                if link != last {
                    child.recorder.record(link.clone());
                    last = link;
                }
            }
        });
        Ok(zk)
    }

    fn link_record(&self, state: &State) -> What {
        let phase = match state.phase {
            Phase::Connected => LinkPhase::Connected,
            Phase::Suspended => LinkPhase::Suspended,
            Phase::Lost => LinkPhase::Lost,
            Phase::Closed(_) => LinkPhase::Closed,
        };
        What::Link {
            process: self.name.clone(),
            phase,
            session: state.session.map(|session| session.id.0),
            epoch: state.epoch,
            reconnects: state.reconnects,
        }
    }
}
