//! What the ensemble really is.

use zk_simulated::SimulatedEnsemble;

use super::recorder::Recorder;

pub(super) fn follow(ensemble: &SimulatedEnsemble, recorder: &Recorder) {
    let _ = (ensemble, recorder);
}
