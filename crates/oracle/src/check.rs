//! The rules, a file each.

use crate::findings::Findings;
use crate::timeline::Timeline;

mod calls;
mod i11_no_crash;
mod i1_no_false_loss;
mod i3_availability;
mod i5_single_node;
mod i6_no_theft;
mod i7_sticky;
mod i9_honest_state;
mod quiet;

/// Judges by all rules.
pub(crate) fn all(timeline: &Timeline<'_>, findings: &mut Findings) {
    for rule in [
        i1_no_false_loss::check,
        i3_availability::check,
        i5_single_node::check,
        i6_no_theft::check,
        i7_sticky::check,
        i9_honest_state::check,
        i11_no_crash::check,
        calls::check,
    ] {
        rule(timeline, findings);
    }
}
