//! What links, registrations and views say, as it changes. Each is a task that records and does nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use oracle::{LinkPhase, Shown, Stated, What};
use tokio::sync::watch;
use zk_core::{Phase, State, States};
use zk_roster::{RegistrationStatus, ServiceStage, Snapshot, View};

use super::recorder::Recorder;

/// Records the states of a link, until it is closed.
pub(super) async fn link(process: String, mut states: States, recorder: Recorder) {
    let mut last = None;
    let mut state = Some(states.latest());
    while let Some(now) = state {
        let what = link_record(&process, &now);
        if last.as_ref() != Some(&what) {
            recorder.record(what.clone());
            last = Some(what);
        }
        state = states.changed().await;
    }
}

fn link_record(process: &str, state: &State) -> What {
    What::Link {
        process: process.to_owned(),
        phase: match state.phase {
            Phase::Connected => LinkPhase::Connected,
            Phase::Suspended => LinkPhase::Suspended,
            Phase::Lost => LinkPhase::Lost,
            Phase::Closed(_) => LinkPhase::Closed,
        },
        session: state.session.map(|session| session.id.0),
        epoch: state.epoch,
        reconnects: state.reconnects,
    }
}

/// Records what a registration says, until it has ended.
pub(super) async fn registration(
    process: String,
    name: String,
    mut statuses: watch::Receiver<zk_roster::ServiceStatus>,
    recorder: Recorder,
) {
    let mut last = None;
    loop {
        let now = {
            let status = statuses.borrow_and_update();
            let registration = status.instances.first().and_then(|instance| instance.registration.as_ref());
            match status.stage {
                // It has given up, whatever its last registration was.
                ServiceStage::Lingering(_) => Some(Stated::Abandoned),
                _ => registration.map(stated),
            }
        };
        if let Some(now) = now
            && last.as_ref() != Some(&now)
        {
            let (process, name) = (process.clone(), name.clone());
            recorder.record(What::Status { process, name, status: now.clone() });
            last = Some(now);
        }
        if statuses.changed().await.is_err() {
            return;
        }
    }
}

fn stated(status: &RegistrationStatus) -> Stated {
    match status {
        RegistrationStatus::Registered { czxid, session } => {
            Stated::Registered { czxid: czxid.0, session: session.0 }
        }
        RegistrationStatus::Unconfirmed => Stated::Unconfirmed,
        RegistrationStatus::Conflict(_) => Stated::Conflict,
        RegistrationStatus::Deregistered => Stated::Deregistered,
        RegistrationStatus::Abandoned => Stated::Abandoned,
        // The type may grow: what is not known is not registered.
        _ => Stated::Pending,
    }
}

/// Records the views of a client, until following ends.
pub(super) async fn views(process: String, mut views: watch::Receiver<Arc<View>>, recorder: Recorder) {
    let mut last: Option<Arc<View>> = None;
    loop {
        let now = views.borrow_and_update().clone();
        if last.as_ref().is_none_or(|last| differs(last, &now)) {
            recorder.record(view_record(&process, &now));
        }
        last = Some(now);
        if views.changed().await.is_err() {
            return;
        }
    }
}

fn differs(one: &View, other: &View) -> bool {
    let same_set = match (&one.snapshot, &other.snapshot) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    };
    !same_set || one.is_live() != other.is_live() || one.held_endpoints() != other.held_endpoints()
}

fn view_record(process: &str, view: &View) -> What {
    let snapshot = view.snapshot.as_deref();
    What::View {
        process: process.to_owned(),
        live: view.is_live(),
        revision: snapshot.map(Snapshot::revision),
        instances: snapshot.map(|snapshot| shown(view, snapshot)).unwrap_or_default(),
    }
}

fn shown(view: &View, snapshot: &Snapshot) -> BTreeMap<String, Shown> {
    let shown = snapshot.instances().map(|instance| {
        let incarnation = instance.owner().map(|owner| owner.incarnation().to_string());
        let held = view.is_held(instance.endpoint());
        let (weight, draining) = (instance.weight(), instance.is_draining());
        (instance.endpoint().to_string(), Shown { weight, draining, incarnation, held })
    });
    shown.collect()
}
