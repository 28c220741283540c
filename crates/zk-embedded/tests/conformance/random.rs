//! Random sequences of operations, run on both servers and compared step by step.
//!
//! A sequence follows from its seed alone. Where the transcripts differ, it is cut down to the steps that matter before
//! it is shown.

use zk_wire::{Acl, OpCode, Request};

use std::env;
use std::ops::Range;

use crate::both::Both;
use crate::common::bench::{Bench, Client};
use crate::common::compare::difference;
use crate::common::request::{
    acl, auth, bare, check, create_acl, create_by, delete, multi, multi_read, of_kind, of_path, open, read,
    set_acl, set_data, set_watches,
};
use crate::common::target::Settings;

const SEEDS: Range<u64> = 0..60;
const STEPS: usize = 60;
const SLOTS: u64 = 3;
const PATHS: [&str; 8] = ["/a", "/b", "/a/a", "/a/b", "/b/a", "/a/a/a", "/c", "/"];

#[test]
fn random_sequences_get_the_replies_of_apache_zookeeper() {
    let Some(both) = Both::start(Settings { extended_types: true, ..Settings::default() }) else { return };
    let seeds = seeds();
    let mut root = 0;
    let mut run = |steps: &[Step]| {
        root += 1;
        let [expected, got] = both.run(|target| {
            Bench::run(target, &format!("/random_{root:06}"), |bench| {
                steps.iter().fold(Slots::new(bench), play).end()
            })
        });
        difference(&expected, &got)
    };
    let mut report = String::new();
    for seed in seeds {
        let mut steps = sequence(seed);
        let Some(mut difference) = run(&steps) else { continue };
        // From the end, for what comes after the first difference goes at once.
        for index in (0..steps.len()).rev() {
            let mut fewer = steps.clone();
            fewer.remove(index);
            if let Some(still) = run(&fewer) {
                (steps, difference) = (fewer, still);
            }
        }
        let steps: String = steps.iter().map(|step| format!("    {step:?}\n")).collect();
        report += &format!("\n== seed {seed} (- Apache, + embedded)\n{difference}  from\n{steps}");
        if report.matches("\n== ").count() == 5 {
            break;
        }
    }
    assert!(report.is_empty(), "the transcripts of sequences differ:\n{report}");
}

fn seeds() -> Range<u64> {
    let Ok(text) = env::var("ZK_SEEDS") else { return SEEDS };
    let ends = text.split_once("..").and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    ends.expect("ZK_SEEDS is FIRST..END")
}

/// One step of a sequence; `usize` is the client.
#[derive(Clone, Debug)]
enum Step {
    Call(usize, Request),
    /// Several requests in one go.
    Burst(usize, Vec<Request>),
    Close(usize),
    Expire(usize),
    /// Drops the connection, attaches again, and sets watches relative to so many transactions after the start.
    Return(usize, i64, Vec<Vec<&'static str>>),
}

/// The clients of a run; a closed one is opened again when it is needed.
struct Slots<'b> {
    bench: &'b Bench<'b>,
    clients: [Option<Client<'b>>; SLOTS as usize],
}

impl<'b> Slots<'b> {
    fn new(bench: &'b Bench<'b>) -> Self {
        Self { bench, clients: [None; SLOTS as usize] }
    }

    fn client(&mut self, slot: usize) -> Client<'b> {
        let open = self.clients[slot].filter(|client| client.is_open());
        let client = open.unwrap_or_else(|| self.bench.open());
        self.clients[slot] = Some(client);
        client
    }

    fn end(self) {
        for path in PATHS {
            let observer = self.clients.into_iter().flatten().find(|client| client.is_open());
            observer.unwrap_or_else(|| self.bench.open()).children(path);
        }
    }
}

fn play<'b>(mut slots: Slots<'b>, step: &Step) -> Slots<'b> {
    match step {
        Step::Call(slot, request) => {
            slots.client(*slot).call(request.clone());
        }
        Step::Burst(slot, requests) => {
            let client = slots.client(*slot);
            requests.iter().for_each(|request| client.post(request.clone()));
            client.collect();
        }
        Step::Close(slot) => slots.client(*slot).close(),
        Step::Expire(slot) => slots.client(*slot).expire(),
        Step::Return(slot, back, lists) => {
            let client = slots.client(*slot);
            client.cut();
            let client = client.reattach(0);
            slots.clients[*slot] = Some(client);
            let lists: Vec<&[&str]> = lists.iter().map(Vec::as_slice).collect();
            client.call(set_watches(slots.bench.base() + back, &lists));
        }
    }
    slots
}

/// SplitMix64: the same numbers for a seed, on any machine and with any version of a crate.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_of<T: Clone>(&mut self, list: &[T]) -> T {
        let length = u64::try_from(list.len()).expect("a short list");
        list[usize::try_from(self.below(length)).expect("an index of it")].clone()
    }

    fn path(&mut self) -> &'static str {
        self.one_of(&PATHS)
    }

    fn paths(&mut self) -> Vec<&'static str> {
        (0..self.below(4)).map(|_| self.path()).collect()
    }

    fn version(&mut self) -> i32 {
        self.one_of(&[-1, -1, -1, -1, 0, 1, 2])
    }

    fn acl(&mut self) -> Vec<Acl> {
        let open = open();
        self.one_of(&[
            open.clone(),
            open.clone(),
            open,
            vec![acl(31, "auth", "")],
            vec![acl(1 + 4 + 8, "world", "anyone")],
            vec![acl(31 - 8, "world", "anyone")],
            vec![acl(2, "world", "anyone"), acl(31, "digest", "joe:UMqAzymhTV1uI5shJgowq4uXlwU=")],
            vec![acl(31, "ip", "127.0.0.0/8")],
            vec![],
        ])
    }

    fn write(&mut self) -> Request {
        let path = self.path();
        match self.below(12) {
            0..4 => {
                let (op, flags) = self.one_of(&[
                    (OpCode::Create, 0),
                    (OpCode::Create, 0),
                    (OpCode::Create, 0),
                    (OpCode::Create, 1),
                    (OpCode::Create, 2),
                    (OpCode::Create, 3),
                    (OpCode::Create2, 0),
                    (OpCode::Create2, 1),
                    (OpCode::CreateContainer, 4),
                    (OpCode::CreateTtl, 5),
                ]);
                create_by(op, path, "d", flags)
            }
            4 => create_acl(path, self.acl()),
            5..8 => delete(path, self.version()),
            8..11 => set_data(path, self.one_of(&["", "1", "twelve bytes"]), self.version()),
            _ => check(path, self.version()),
        }
    }

    fn request(&mut self) -> Request {
        let path = self.path();
        let watch = self.below(2) == 0;
        match self.below(40) {
            0..14 => match self.write() {
                // Outside of a multi a check ends the connection.
                Request::Check { path, .. } => of_path(OpCode::Sync, &path),
                request => request,
            },
            14..17 => read(OpCode::Exists, path, watch),
            17..20 => read(OpCode::GetData, path, watch),
            20..22 => read(OpCode::GetChildren, path, watch),
            22..24 => read(OpCode::GetChildren2, path, watch),
            24 => of_path(OpCode::GetAcl, path),
            25 => set_acl(path, self.acl(), self.version()),
            26 => of_path(
                self.one_of(&[OpCode::GetEphemerals, OpCode::GetAllChildrenNumber, OpCode::Sync]),
                path,
            ),
            27..30 => of_kind(OpCode::AddWatch, path, self.one_of(&[0, 1])),
            30..32 => of_kind(OpCode::RemoveWatches, path, self.one_of(&[1, 2, 3])),
            32 => of_kind(OpCode::CheckWatches, path, self.one_of(&[1, 2, 3])),
            33..37 => multi((0..1 + self.below(5)).map(|_| self.write()).collect::<Vec<_>>()),
            37 => {
                let kinds = [OpCode::GetData, OpCode::GetChildren];
                multi_read(
                    (0..self.below(4))
                        .map(|_| read(self.one_of(&kinds), self.path(), false))
                        .collect::<Vec<_>>(),
                )
            }
            38 => auth("digest", self.one_of(&["joe:secret", "ann:other"])),
            _ => bare(self.one_of(&[OpCode::WhoAmI, OpCode::Ping])),
        }
    }

    fn step(&mut self) -> Step {
        let slot = usize::try_from(self.below(SLOTS)).expect("a slot");
        match self.below(30) {
            0 => Step::Close(slot),
            1 => Step::Expire(slot),
            2 => {
                let lists = self.one_of(&[3, 5]);
                Step::Return(
                    slot,
                    i64::try_from(self.below(40)).expect("small"),
                    (0..lists).map(|_| self.paths()).collect(),
                )
            }
            3..6 => {
                let mut burst: Vec<Request> = (0..2 + self.below(5)).map(|_| self.request()).collect();
                // Two that race in Apache with what is in flight beside them: an auth counts as soon as it is read, a
                // new ACL only when it is applied.
                burst.retain(|request| !matches!(request.op_code(), OpCode::Auth | OpCode::SetAcl));
                Step::Burst(slot, burst)
            }
            _ => Step::Call(slot, self.request()),
        }
    }
}

fn sequence(seed: u64) -> Vec<Step> {
    let mut rng = Rng(seed);
    (0..STEPS).map(|_| rng.step()).collect()
}
