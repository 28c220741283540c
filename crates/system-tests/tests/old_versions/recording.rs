//! Recorded frames, and how they read.
//!
//! Each frame has two lines: `>` for what the client sent or `<` for what it received, with the bytes; and how it reads. A
//! line with `#` begins a phase.

use std::collections::BTreeMap;

use zk_testing::raw::Error;
use zk_wire::{
    ErrorCode, Framed, MultiResult, OpCode, Reader, ReplyHeader, Request, Response, WatchEvent, xid,
};

/// What a client did, phase by phase.
pub(crate) struct Recording {
    pub(crate) phases: Vec<Phase>,
}

/// The frames between two remarks.
pub(crate) struct Phase {
    pub(crate) title: String,
    pub(crate) frames: Vec<Frame>,
}

#[derive(Clone)]
pub(crate) enum Frame {
    /// With the number by which its reply is found.
    Request(i32, Request),
    Reply(i32, Outcome),
    Event(WatchEvent),
}

/// What a server replied.
pub(crate) type Outcome = Result<Response, String>;

impl Recording {
    /// Reads a file of the folder `recorded`.
    pub(crate) fn read(text: &str) -> Self {
        let mut phases = Vec::<Phase>::new();
        let mut sent = BTreeMap::new();
        for line in text.lines() {
            match line.split_once(' ').unwrap() {
                ("#", title) => phases.push(Phase { title: title.to_owned(), frames: Vec::new() }),
                (">", hex) => {
                    let Framed { xid, request } = Framed::decode(&bytes(hex)[4..]).unwrap();
                    sent.insert(xid, request.op_code());
                    phases.last_mut().unwrap().frames.push(Frame::Request(xid, request));
                }
                ("<", hex) => phases.last_mut().unwrap().frames.push(received(&sent, &bytes(hex)[4..])),
                // How the frame before reads.
                _ => {}
            }
        }
        Self { phases }
    }

    /// The frames of a phase.
    pub(crate) fn phase(&self, title: &str) -> &[Frame] {
        &self.phases.iter().find(|phase| phase.title == title).unwrap().frames
    }

    /// Has the client write other records than it wrote.
    pub(crate) fn with_data(mut self, change: impl Fn(&str) -> String) -> Self {
        let mut change_one = |request: &mut Request| {
            if let Request::Create { data: Some(data), .. } = request
                && !data.is_empty()
            {
                *data = change(std::str::from_utf8(data).unwrap()).into_bytes();
            }
        };
        for frame in self.phases.iter_mut().flat_map(|phase| &mut phase.frames) {
            match frame {
                Frame::Request(_, Request::Multi { operations }) => {
                    operations.iter_mut().for_each(&mut change_one);
                }
                Frame::Request(_, request) => change_one(request),
                Frame::Reply(..) | Frame::Event(_) => {}
            }
        }
        self
    }

    /// The data that the client wrote first under a path.
    pub(crate) fn first_data(&self, at: &str) -> String {
        let written = self.phases.iter().flat_map(|phase| &phase.frames).find_map(|frame| match frame {
            Frame::Request(_, Request::Create { path, data: Some(data), .. }) if path == at => Some(data),
            _ => None,
        });
        String::from_utf8(written.unwrap().clone()).unwrap()
    }
}

fn received(sent: &BTreeMap<i32, OpCode>, body: &[u8]) -> Frame {
    let mut reader = Reader::new(body);
    let header = ReplyHeader::read(&mut reader).unwrap();
    match header.xid {
        xid::EVENT => Frame::Event(WatchEvent::read(&mut reader).unwrap()),
        xid if header.code == ErrorCode::Ok => {
            Frame::Reply(xid, Ok(Response::read(sent[&xid], &mut reader).unwrap()))
        }
        xid => Frame::Reply(xid, Err(named(&header.code.into()))),
    }
}

/// An error, as a reply shows it.
pub(crate) fn named(error: &Error) -> String {
    format!("{error:?}")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

impl Frame {
    /// What can be compared with another run: everything but numbers of transactions and sessions, moments and owners.
    pub(crate) fn reads(&self) -> String {
        match self {
            Self::Request(_, request) => asks(request),
            Self::Reply(_, outcome) => says(outcome),
            Self::Event(event) => format!("event: {} {}", event.kind, event.path),
        }
    }
}

fn asks(request: &Request) -> String {
    let each = |operations: &[Request]| operations.iter().map(asks).collect::<Vec<_>>().join("; ");
    let name = request.op_code();
    match request {
        Request::Create { path, data, flags, .. } => {
            let data = String::from_utf8_lossy(data.as_deref().unwrap_or_default());
            format!("{name} {path} flags={flags} {data}")
        }
        Request::Delete { path, version } => format!("{name} {path} version={version}"),
        Request::Exists { path, watch }
        | Request::GetData { path, watch }
        | Request::GetChildren2 { path, watch } => {
            format!("{name} {path}{}", if *watch { " and watch" } else { "" })
        }
        Request::Sync { path } | Request::AddWatch { path, .. } | Request::RemoveWatches { path, .. } => {
            format!("{name} {path}")
        }
        Request::Multi { operations } | Request::MultiRead { operations } => {
            format!("{name} [{}]", each(operations))
        }
        _ => format!("{name}"),
    }
}

/// A reply, as far as it can be compared with another run.
pub(crate) fn says(outcome: &Outcome) -> String {
    match outcome {
        Err(error) => error.clone(),
        Ok(Response::Path(path) | Response::PathStat(path, _)) => format!("created {path}"),
        Ok(Response::Stat(stat)) => format!("exists, {} children", stat.num_children),
        Ok(Response::Data(data, _)) => shown(data.as_deref()),
        Ok(Response::Children(names, _)) => {
            let mut names = names.clone();
            names.sort();
            format!("{names:?}")
        }
        Ok(Response::Multi(results) | Response::MultiRead(results)) => {
            let results: Vec<_> = results.iter().map(result).collect();
            format!("[{}]", results.join("; "))
        }
        Ok(_) => "done".into(),
    }
}

fn result(result: &MultiResult) -> String {
    match result {
        MultiResult::Create(path) | MultiResult::Create2(path, _) => format!("created {path}"),
        MultiResult::Data(data, _) => shown(data.as_deref()),
        MultiResult::Error(code) => named(&(*code).into()),
        _ => "done".into(),
    }
}

/// Data by its weight: who wrote it may be another one.
fn shown(data: Option<&[u8]>) -> String {
    let record = serde_json::from_slice::<serde_json::Value>(data.unwrap_or_default());
    match record.ok().and_then(|record| record["Weight"].as_u64()) {
        Some(weight) => format!("weight {weight}"),
        None => "no record".into(),
    }
}

pub(crate) const SERVER: &str = include_str!("recorded/server.txt");
pub(crate) const TAKE_OVER: &str = include_str!("recorded/take-over.txt");
pub(crate) const NAMES: &str = include_str!("recorded/reader-names.txt");
pub(crate) const RECORDS: &str = include_str!("recorded/reader-records.txt");
pub(crate) const NAMES_ONE_SHOT: &str = include_str!("recorded/reader-names-one-shot.txt");
pub(crate) const RECORDS_ONE_SHOT: &str = include_str!("recorded/reader-records-one-shot.txt");

#[test]
fn recorded_frames_read_as_their_files_say() {
    for text in [SERVER, TAKE_OVER, NAMES, RECORDS, NAMES_ONE_SHOT, RECORDS_ONE_SHOT] {
        let frames: Vec<_> =
            Recording::read(text).phases.into_iter().flat_map(|phase| phase.frames).collect();
        let reads: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        assert_eq!(frames.iter().map(Frame::reads).collect::<Vec<_>>(), reads);
        assert!(frames.len() > 15, "{}", frames.len());
    }
}
