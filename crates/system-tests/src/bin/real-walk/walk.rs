//! The walk: a fleet, a nemesis, and the time.

use std::time::Duration;

use oracle::What;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::history::Remains;
use crate::kinds::Kind;
use crate::member::Place;
use crate::nemesis::{Nemesis, Now, Tally};
use crate::recorder::Recorder;
use crate::settings::bounds;

/// How often a line says how far the walk is.
const PROGRESS: Duration = Duration::from_secs(10);

/// What a walk is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) lasts: Duration,
    pub(crate) seed: u64,
    /// The kind of the servers.
    pub(crate) server: &'static str,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) place: Place,
}

/// Walks, and returns what is left of it. Dropped half-way, it ends every process.
///
/// # Errors
/// Why the walk could not go on.
pub(crate) async fn walk(plan: &Plan) -> Result<(Remains, Tally), String> {
    let clock = Clock::start();
    let began_by_the_wall = clock.began_by_the_wall();
    let own = plan.place.folder.join("walk.jsonl");
    let recorder = Recorder::open(&own, clock).map_err(|error| format!("{}: {error}", own.display()))?;
    let now = Now::default();
    "the ensemble and the fleet start".clone_into(&mut now.lock());
    let random = SmallRng::seed_from_u64(plan.seed.wrapping_add(1));
    let mut nemesis = Nemesis::new(plan.seed, plan.kinds.clone(), now.clone());
    let ends = Instant::now() + plan.lasts;
    let walking = async {
        let mut fleet = Fleet::start(plan.server, &plan.place, recorder.clone(), random).await?;
        let sampling = fleet.sampling();
        let outcome = tokio::select! {
            biased;
            () = sampling => Ok(()),
            outcome = faults(&mut fleet, &mut nemesis, ends, &recorder, &now) => outcome,
        };
        "the fleet ends".clone_into(&mut now.lock());
        fleet.stop().await;
        outcome.map(|()| Remains::of(&fleet, own, began_by_the_wall))
    };
    let remains = tokio::select! {
        remains = walking => remains?,
        () = progress(&now, ends) => unreachable!("it has no end"),
    };
    Ok((remains, nemesis.tally))
}

/// Faults until it is time to heal, and then long enough for everything to be right, and to stay so.
async fn faults(
    fleet: &mut Fleet,
    nemesis: &mut Nemesis,
    ends: Instant,
    recorder: &Recorder,
    now: &Now,
) -> Result<(), String> {
    let calm = bounds().liveness_within() + Duration::from_secs(1);
    let heals = ends - calm;
    while Instant::now() < heals {
        nemesis.step(fleet).await?;
    }
    fleet.heal().await?;
    recorder.record(What::Healed);
    "all is healed, and recovers".clone_into(&mut now.lock());
    sleep(calm).await;
    "callers end their calls".clone_into(&mut now.lock());
    fleet.stop_calling().await;
    recorder.record(What::End);
    Ok(())
}

async fn progress(now: &Now, ends: Instant) {
    loop {
        sleep(PROGRESS).await;
        let left = ends.saturating_duration_since(Instant::now());
        println!("{:5.1} min left: {}", left.as_secs_f64() / 60.0, now.lock());
    }
}
