//! The table of arrows has every stage and every input of the machines, as their sources name them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use simulation::coverage::{Expected, expected};
use syn::visit::{self, Visit};
use syn::{Arm, Attribute, ImplItemFn, ItemFn, ItemImpl, LitStr, Pat, Type};

/// A machine, and where the names of its stages and of its inputs are: in a file the methods of a type, or a function.
struct Machine {
    name: &'static str,
    states: &'static [(&'static str, &'static str)],
    inputs: &'static [(&'static str, &'static str)],
    /// Names that stand in the event itself, as nothing else can come there.
    more_states: &'static [&'static str],
    more_inputs: &'static [&'static str],
}

const MACHINES: [Machine; 15] = [
    Machine {
        name: "supervisor",
        states: &[("zk-core/src/supervisor.rs", "Stage::name")],
        inputs: &[("zk-core/src/supervisor/arrows.rs", "On::name")],
        more_states: &["closed"],
        more_inputs: &[],
    },
    Machine {
        name: "phase",
        states: &[("zk-core/src/state.rs", "Phase::name")],
        inputs: &[("zk-core/src/supervisor/arrows.rs", "On::name")],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "root_watch",
        states: &[("root-watch/src/machine.rs", "Stage::name")],
        inputs: &[("root-watch/src/names.rs", "Input::name")],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "recursive",
        states: &[("root-watch/src/looks.rs", "Step::name"), ("root-watch/src/names.rs", "End::name")],
        inputs: &[("root-watch/src/names.rs", "Input::name")],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "one_shot",
        states: &[("root-watch/src/one_shot.rs", "List::name"), ("root-watch/src/names.rs", "End::name")],
        inputs: &[("root-watch/src/names.rs", "Input::name")],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "one_shot_audit",
        states: &[("root-watch/src/one_shot.rs", "Audit::name"), ("root-watch/src/names.rs", "End::name")],
        inputs: &[("root-watch/src/names.rs", "Input::name")],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "count",
        states: &[("root-watch/src/count.rs", "Count::name")],
        inputs: &[("root-watch/src/count.rs", "Verdict::name")],
        more_states: &[],
        more_inputs: &["reset", "root_created", "root_deleted", "watch_ended"],
    },
    Machine {
        name: "keeper",
        states: &[
            ("registry/src/keeper/work.rs", "Stage::name"),
            ("registry/src/keeper/io.rs", "Request::name"),
        ],
        inputs: &[
            ("registry/src/keeper/names.rs", "Input::name"),
            ("registry/src/keeper/names.rs", "Reply::name"),
            ("registry/src/keeper/names.rs", "Failure::name"),
        ],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "registration",
        states: &[("registry/src/status.rs", "RegistrationStatus::name")],
        inputs: &[("registry/src/status.rs", "TroubleKind::name")],
        more_states: &[],
        more_inputs: &["taken_over", "reported"],
    },
    Machine {
        name: "watcher",
        states: &[("discovery/src/watcher/machine.rs", "Stage::name")],
        inputs: &[
            ("discovery/src/watcher/names.rs", "Input::name"),
            ("discovery/src/watcher/names.rs", "of_update"),
        ],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "instance",
        states: &[("discovery/src/membership/arrows.rs", "Place::name")],
        inputs: &[("discovery/src/membership/arrows.rs", "On::name")],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "endpoint",
        states: &[("balance/src/members/health.rs", "Identity::name")],
        inputs: &[
            ("balance/src/members/report.rs", "HealthReport::name"),
            ("balance/src/failure.rs", "Failure::name"),
        ],
        more_states: &["unknown"],
        more_inputs: &["came", "came_back", "left", "replaced", "trial_began"],
    },
    Machine {
        name: "call",
        states: &[
            ("balance/src/call/progress.rs", "Next::name"),
            ("balance/src/call/error.rs", "GaveUp::name"),
        ],
        inputs: &[
            ("balance/src/call/progress.rs", "Failed::name"),
            ("balance/src/failure.rs", "Failure::name"),
            ("balance/src/reader/error.rs", "PickError::name"),
        ],
        more_states: &["racing", "pausing", "answered"],
        more_inputs: &["answered", "budget_spent", "deadline"],
    },
    Machine {
        name: "presence",
        states: &[("roster/src/service/presence.rs", "Presence::name")],
        inputs: &[("roster/src/service/presence.rs", "Input::name")],
        more_states: &[],
        more_inputs: &[],
    },
    Machine {
        name: "service",
        states: &[("roster/src/service/status.rs", "ServiceStage::name")],
        inputs: &[("roster/src/service/mode.rs", "Mode::name")],
        more_states: &[],
        more_inputs: &["task_ended"],
    },
];

/// The mode of a service, whose inputs stand in a match, and the look-up of an address, which is another process's affair.
const OTHERS: [&str; 2] = ["mode", "address"];

/// Collects the text literals of one function, and whether it has an arm for all others.
#[derive(Default)]
struct Names {
    of: Option<(String, String)>,
    inside: bool,
    at: String,
    found: BTreeSet<String>,
    has_rest: bool,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let (Type::Path(path), None) = (&*item.self_ty, &item.trait_) {
            self.at = path.path.segments.last().unwrap().ident.to_string();
            visit::visit_item_impl(self, item);
            self.at = String::new();
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        let at = (self.at.clone(), item.sig.ident.to_string());
        self.inside = self.of.as_ref() == Some(&at);
        visit::visit_impl_item_fn(self, item);
        self.inside = false;
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.inside = self.of == Some((String::new(), item.sig.ident.to_string()));
        visit::visit_item_fn(self, item);
        self.inside = false;
    }

    // Documentation is one.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_arm(&mut self, arm: &'ast Arm) {
        self.has_rest |= self.inside && matches!(arm.pat, Pat::Wild(_));
        visit::visit_arm(self, arm);
    }

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        if self.inside {
            self.found.insert(literal.value());
        }
    }
}

/// The names that a function has.
fn names((file, function): (&str, &str)) -> Names {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (of, function) = function.split_once("::").unwrap_or(("", function));
    let mut names = Names { of: Some((of.to_owned(), function.to_owned())), ..Names::default() };
    names.visit_file(&syn::parse_file(&source).unwrap());
    assert!(!names.found.is_empty(), "{file} has no {of}::{function}");
    names
}

fn of_machine(name: &str) -> impl Iterator<Item = &'static Expected> {
    expected().iter().filter(move |expected| &*expected.arrow.machine == name)
}

/// The names in the table, without those that stand for all.
fn in_table<'a>(found: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    found.filter(|name| *name != "*").map(str::to_owned).collect()
}

#[test]
fn the_table_has_every_stage_of_each_machine_and_no_other() {
    for machine in MACHINES {
        let mut in_sources: BTreeSet<String> =
            machine.more_states.iter().map(|name| (*name).to_owned()).collect();
        for source in machine.states {
            let names = names(*source);
            assert!(!names.has_rest, "{source:?}: a stage that is added must get a name");
            in_sources.extend(names.found);
        }
        let lines = of_machine(machine.name);
        let states = in_table(lines.flat_map(|line| [&*line.arrow.from, &*line.arrow.to]));
        assert_eq!(states, in_sources, "the stages of {} in arrows.txt, and in its sources", machine.name);
    }
}

#[test]
fn the_table_has_every_input_of_each_machine_and_no_other() {
    for machine in MACHINES {
        let mut in_sources: BTreeSet<String> =
            machine.more_inputs.iter().map(|name| (*name).to_owned()).collect();
        in_sources.extend(machine.inputs.iter().flat_map(|source| names(*source).found));
        let inputs = in_table(of_machine(machine.name).map(|line| &*line.arrow.on));
        assert_eq!(inputs, in_sources, "the inputs of {} in arrows.txt, and in its sources", machine.name);
    }
}

#[test]
fn the_table_is_of_these_machines_and_has_no_arrow_twice() {
    let known: BTreeSet<&str> = MACHINES.iter().map(|machine| machine.name).chain(OTHERS).collect();
    let found: BTreeSet<&str> = expected().iter().map(|line| &*line.arrow.machine).collect();
    assert_eq!(found, known);
    for (at, line) in expected().iter().enumerate() {
        let before = expected()[..at].iter().find(|before| before.is_about(&line.arrow));
        assert_eq!(before, None, "{} stands in arrows.txt before", line.arrow);
    }
}
