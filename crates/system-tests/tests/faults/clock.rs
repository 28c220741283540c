//! Rows in which the wall clock jumps.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use system_tests::{
    Exit, PROPAGATION, SESSION, TestBed, Verdict, free_port, free_ports, require_that, skipped,
};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep_until};

use crate::support::*;

// === 37: the wall clock jumps ===

/// The library of Debian's package `faketime`, which shows another time to the process that loads it.
fn faketime() -> Option<String> {
    let places = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut places = places.map(|place| place.path().join("faketime/libfaketimeMT.so.1"));
    // A library of another architecture does nothing.
    let found = places.find(|place| place.exists() && shows_another_time(place));
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI is set, and there is no libfaketime");
        skipped("no libfaketime; Debian's package is faketime", "jumps of the wall clock");
    }
    found.map(|place| place.display().to_string())
}

fn shows_another_time(library: &Path) -> bool {
    let mut date = Command::new("date");
    date.arg("+%Y").env("LD_PRELOAD", library).env("FAKETIME", "@2001-06-01 00:00:00").stderr(Stdio::null());
    date.output().is_ok_and(|output| output.stdout == b"2001\n")
}

/// How far the clock is ahead, in seconds, and how libfaketime is set.
const JUMPS: [(f64, &str); 5] =
    [(3600.0, "+1h"), (-3600.0, "-1h"), (86400.0, "+1d"), (-86400.0, "-1d"), (0.0, "+0")];

/// Seconds by which an answer is ahead of the true time.
fn ahead((printed, line): &(Instant, String)) -> f64 {
    // IP:PORT:TIME.
    let time = line.splitn(3, ':').last().unwrap_or_default();
    let time: Timestamp = time.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    let printed = Timestamp::now() - jiff::SignedDuration::try_from(printed.elapsed()).unwrap();
    time.duration_since(printed).as_secs_f64()
}

/// All answers between a jump and the next one are ahead by the jump. Each jump happens between two moments.
fn the_time_moved(exit: &Exit, jumps: &[(Instant, Instant)]) -> Verdict {
    for (step, ((_, at), (expected, setting))) in jumps.iter().zip(JUMPS).enumerate() {
        let until = jumps.get(step + 1).map(|(before, _)| *before);
        let of_it = |(printed, _): &&(Instant, String)| {
            *printed > *at + PROPAGATION && until.is_none_or(|until| *printed < until)
        };
        let answers: Vec<_> = exit.out.iter().filter(of_it).collect();
        require_that!(answers.len() > 20, "{setting}: {} answers", answers.len());
        for answer in answers {
            let ahead = ahead(answer);
            require_that!(
                (ahead - expected).abs() < 60.0,
                "{setting}: an answer is {ahead} s ahead: {}",
                answer.1
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_37_a_jump_of_the_wall_clock_changes_only_the_answered_time() {
    let Some(_) = test_zookeeper::require() else { return };
    let Some(library) = faketime() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let clock = |setting: &str| bed.write("clock", &format!("{setting}\n"));
    clock("+0");
    // The file is read for every look at the clock. The monotonic clock stays true, as when a wall clock jumps.
    let faked = format!(
        "exec env LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE=clock FAKETIME_NO_CACHE=1 \
         FAKETIME_DONT_FAKE_MONOTONIC=1 \"$@\""
    );
    let ports = free_ports(2);
    let servers: Vec<_> =
        ports.iter().map(|port| bed.server_in(&faked, &["--port", &port.to_string()])).collect();
    let before = bed.observer.until("both", SOON, all_of(&ports)).await.unwrap();
    let watch = bed.client_in(&faked, &["watch", "--json"]);
    until_changes(&watch, 2).await.unwrap();
    let client = bed.client_in(&faked, &["--rounds", "600", "--interval", "20ms"]);
    until_answers(&client, 20).await.unwrap();

    let began = Instant::now();
    let mut jumps = Vec::new();
    for (step, (_, setting)) in (0..).zip(JUMPS) {
        sleep_until(began + SESSION * step).await;
        let before = Instant::now();
        clock(setting);
        jumps.push((before, Instant::now()));
    }
    let exit = all_answered(client, 600).await.unwrap();
    the_time_moved(&exit, &jumps).unwrap();
    assert!(!exit.err.contains("attempt failed"), "an attempt failed: {}", exit.err);
    // No more than an answer each 20 ms: no timer fires in a row to catch up.
    let seconds = exit.out.windows(100).map(|hundred| hundred[99].0 - hundred[0].0);
    let shortest = seconds.min().unwrap();
    assert!(shortest > Duration::from_millis(1000), "a hundred rounds in {shortest:?}");

    let after = bed.observer.until("both", PROPAGATION, all_of(&ports)).await.unwrap();
    assert_eq!(after, before, "I7: the same znodes of the same sessions");
    let names: Vec<_> = ports.iter().copied().map(name).collect();
    never_missing(&bed.observer.since(began), &names).unwrap();
    assert_eq!(changes(&watch).len(), 2, "a jump is no join and no leave: {:?}", watch.out());
    // A busy machine may cost the client a connection; a fault in its timers would cost one a jump.
    let lost = watch.out().into_iter().filter(|(_, line)| line.contains("suspended")).count();
    assert!(lost <= 1, "{:?}", watch.out());
    for server in &servers {
        let trouble = ["expired", "presumed lost", "audit mismatch", "panicked"];
        let log = server.err();
        let lines: Vec<_> =
            log.lines().filter(|line| trouble.iter().any(|word| line.contains(word))).collect();
        assert!(lines.is_empty(), "{lines:#?}");
    }
    // The client goes on: a later change is printed.
    let third = free_port();
    let _third = bed.server_in(&faked, &["--port", &third.to_string()]);
    until_changes(&watch, 3).await.unwrap();
}
