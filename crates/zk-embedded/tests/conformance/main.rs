//! The conformance suite: each case runs on Apache ZooKeeper and on the embedded server, and both must send the same.
//!
//! A case is a script for a few clients of the raw protocol. Everything that they receive goes into a transcript: replies
//! with their headers, events, closes, in the order of each connection. Times are masked, sessions are numbered by
//! appearance, zxids are counted from the start of the case; all else is compared as it is.
//!
//! `ZK_CASES=text` runs only the cases whose name contains the text, and prints their transcripts.
//! `ZK_SEEDS=first..end` chooses the random sequences.

#[path = "../common/mod.rs"]
mod common;

mod both;
mod cases;
mod known;
mod random;

use std::env;
use std::time::Duration;

use both::Both;
use cases::Case;
use common::bench::Bench;
use common::compare::difference;
use common::target::{Settings, Target};
use known::{UNFIT_FOR_OLD, known};
use zk_embedded::Version;

#[test]
fn every_case_gets_the_replies_of_apache_zookeeper() {
    let cases = cases::all();
    assert!(cases.len() >= 150, "the table has shrunk to {} cases", cases.len());
    compare(Settings { extended_types: true, ..Settings::default() }, cases);
}

#[test]
fn every_case_gets_the_replies_of_an_old_apache_zookeeper() {
    compare(Settings { version: Version::V3_4, ..Settings::default() }, cases::all());
}

#[test]
fn znodes_with_a_time_to_live_are_refused_as_by_apache_zookeeper() {
    compare(Settings::default(), cases::timed::without_extended_types());
}

#[test]
fn containers_and_outdated_znodes_are_deleted_as_by_apache_zookeeper() {
    let settings =
        Settings { extended_types: true, container_check: Duration::from_millis(300), ..Settings::default() };
    compare(settings, cases::timed::cases());
}

/// Runs the cases on both servers, and fails with all whose transcripts differ.
fn compare(settings: Settings, mut cases: Vec<Case>) {
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).for_each(|pair| assert_ne!(pair[0], pair[1], "two cases have one name"));
    if settings.version == Version::V3_4 {
        cases.retain(|case| !UNFIT_FOR_OLD.contains(&case.name.as_str()));
    }
    let filter = env::var("ZK_CASES").ok();
    cases.retain(|case| filter.as_ref().is_none_or(|text| case.name.contains(text.as_str())));

    let Some(both) = Both::start(settings) else { return };
    let [expected, got] = both.run(|target| run_all(target, &cases));
    let mut report = String::new();
    for ((case, expected), got) in cases.iter().zip(&expected).zip(&got) {
        if filter.is_some() {
            println!("== {}\n{}\n", case.name, expected.join("\n"));
        }
        match (difference(expected, got), known(&case.name, settings.version)) {
            (None, None) => {}
            (Some(_), Some(reason)) => println!("known to differ: {}: {reason}", case.name),
            (None, Some(_)) => {
                report += &format!("\n== {}\nit agrees now: take it off the list\n", case.name)
            }
            (Some(difference), None) => report += &format!("\n== {}\n{difference}", case.name),
        }
    }
    let failed = report.matches("\n== ").count();
    assert!(report.is_empty(), "{failed} of {} cases differ (- Apache, + embedded):\n{report}", cases.len());
}

fn run_all(target: &Target, cases: &[Case]) -> Vec<Vec<String>> {
    let run = |(number, case): (usize, &Case)| {
        let transcript = Bench::run(target, &format!("/case_{number:04}"), &case.script);
        target.assert_alive(&case.name);
        transcript
    };
    cases.iter().enumerate().map(run).collect()
}
