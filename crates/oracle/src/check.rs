//! The rules, a file each.

use crate::findings::Findings;
use crate::timeline::Timeline;

mod calls;
mod comebacks;
mod exact;
mod i10_bounded;
mod i11_no_crash;
mod i1_no_false_loss;
mod i2_convergence;
mod i3_availability;
mod i4_no_ghost;
mod i5_single_node;
mod i6_no_theft;
mod i7_sticky;
mod i8_monotonic;
mod i9_honest_state;
mod leaves;
mod mismatches;
mod quiet;
mod records;
mod retries;
mod undone;
mod unknown;

/// Judges by all rules.
pub(crate) fn all(timeline: &Timeline<'_>, findings: &mut Findings) {
    for rule in [
        i1_no_false_loss::check,
        i2_convergence::check,
        i3_availability::check,
        i4_no_ghost::check,
        i5_single_node::check,
        i6_no_theft::check,
        i7_sticky::check,
        i8_monotonic::check,
        i9_honest_state::check,
        i10_bounded::check,
        i11_no_crash::check,
        calls::check,
        comebacks::check,
        retries::check,
        exact::check,
        records::check,
        leaves::check,
        undone::check,
        unknown::check,
    ] {
        rule(timeline, findings);
    }
}
