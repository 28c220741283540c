//! The frames of `corpus/`, one file each: what once looked dangerous stays looked at.

use std::fs;
use std::path::Path;

use crate::{ConnectRequest, ConnectResponse, Framed, OpCode, Reader, Response};

#[test]
fn no_frame_of_the_corpus_panics() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("the corpus is part of the crate") {
        let stream = fs::read(entry.expect("a file").path()).expect("the file can be read");
        // A file is what a client sends: lengths included. Every suffix is tried as a frame, too.
        for start in 0..stream.len().min(256) {
            let _ = Framed::decode(&stream[start..]);
            let _ = ConnectRequest::decode(&stream[start..]);
            let _ = ConnectResponse::decode(&stream[start..]);
            for code in -12..110 {
                let _ = Response::read(OpCode::from(code), &mut Reader::new(&stream[start..]));
            }
        }
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} files");
}
