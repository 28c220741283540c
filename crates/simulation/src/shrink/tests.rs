use super::*;
use crate::generate;
use crate::plan::{Act, Who};

/// Fails if server 1 is killed, and server 0 cut off later, for more than a second.
fn fails(plan: &Plan) -> Option<&'static str> {
    let killed = plan.steps.iter().position(|step| matches!(step.act, Act::Kill(1)))?;
    let isolated = |step: &Step| matches!(step.act, Act::Isolate(Who::Server(0), for_ms) if for_ms > 1_000);
    plan.steps[killed..].iter().any(isolated).then_some("because")
}

fn failing() -> impl Iterator<Item = Plan> {
    (0..3_000).map(generate).filter(|plan| fails(plan).is_some()).take(20)
}

#[test]
fn what_does_not_matter_goes() {
    for plan in failing() {
        let shrunk = shrink(&plan, &"because", Limits::default(), fails);
        let Plan { spec, steps, .. } = shrunk.plan;
        assert_eq!(steps.len(), 2, "seed {}: {steps:?}", plan.seed);
        assert_eq!(steps[0], Step { after_ms: 0, act: Act::Kill(1) });
        // Those two, and nobody else.
        assert_eq!((spec.servers.len(), spec.clients.len(), spec.ensemble), (2, 0, 1));
        let lasts = steps[1].act.lasts().unwrap();
        assert!((1_001..1_500).contains(&lasts) && steps[1].after_ms == 0, "{steps:?}");
    }
}

#[test]
fn another_cause_is_no_success() {
    for plan in failing() {
        let shrunk = shrink(&plan, &"something else", Limits::default(), fails);
        assert_eq!(shrunk.plan, plan);
        assert!(shrunk.tries > 0);
    }
}

#[test]
fn steps_that_stay_happen_when_they_did() {
    let plan = generate(7);
    let times = |steps: &[Step]| {
        let mut now = 0;
        steps
            .iter()
            .map(|step| {
                now += step.after_ms;
                (now, step.act.clone())
            })
            .collect::<Vec<_>>()
    };
    let mut steps = plan.steps.clone();
    leave_out(&mut steps, 3, 9);
    let mut expected = times(&plan.steps);
    expected.drain(3..9);
    assert_eq!(times(&steps), expected);
}

#[test]
fn it_stops_when_it_has_tried_enough() {
    let plan = failing().next().unwrap();
    let limits = Limits { tries: 5, ..Limits::default() };
    assert_eq!(shrink(&plan, &"because", limits, fails).tries, 5);
}
