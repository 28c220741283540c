//! A format whose names do not tell the endpoint, which the data has.

use instance::{DecodeError, Decoded, EncodeError, Encoded};
use zk_core::{ErrorKind, Stat, Zxid};

use super::*;

/// Znodes with any names, and a port as data.
#[derive(Debug)]
struct Ports;

impl Format for Ports {
    fn name(&self) -> &'static str {
        "ports"
    }

    fn encode(&self, _: &Instance) -> Result<Encoded, EncodeError> {
        unreachable!("nothing is registered here")
    }

    fn decode_name(&self, segment: &str) -> Result<Option<Endpoint>, DecodeError> {
        // As in a format that has changed: old names tell the endpoint.
        if segment.contains(':') { Plain.decode_name(segment) } else { Ok(None) }
    }

    fn decode(&self, segment: &str, data: &[u8]) -> Result<Decoded, DecodeError> {
        if segment.contains(':') {
            return Plain.decode(segment, data);
        }
        let endpoint = str::from_utf8(data).ok().and_then(|port| format!("127.0.0.1:{port}").parse().ok());
        let reason = "expected a port";
        let endpoint = endpoint.ok_or(DecodeError::NoEndpoint { segment: segment.to_owned(), reason })?;
        Ok(Decoded { instance: Instance::new(endpoint), remarks: Vec::new() })
    }
}

const ANNE: &str = "8d3a62d8-60cb-4ab4-8c44-5ba2dbd0a1b6";
const BERT: &str = "17d7bdff-7fd8-4a7e-9f18-2bb1cd0d7cf4";

fn start(names: &[&str]) -> Script {
    Script::start(Ports, Records::NamesOnly, names.iter().map(|name| name.to_string()))
}

impl Script {
    /// Reads the records that are due, of znodes with these names, czxids and data.
    fn read(&mut self, znodes: &[(&str, i64, &str)]) -> Vec<String> {
        let Some(batch) = self.membership.take_reads(self.now, 256) else { return Vec::new() };
        for name in &batch.names {
            let found = znodes.iter().find(|(znode, ..)| znode == name);
            let reading = found.map_or(Err(ErrorKind::Denied), |(_, czxid, data)| {
                let mut stat = Stat::default();
                stat.czxid = Zxid(*czxid);
                // Another one for other data.
                stat.mzxid = Zxid(czxid + i64::from(data.bytes().map(u32::from).sum::<u32>()));
                Ok((data.as_bytes().to_vec(), stat))
            });
            self.membership.apply_reply(batch.ticket, name, Some(reading), self.now, self.now);
        }
        self.pass(0);
        batch.names
    }

    /// A record is written, and read.
    fn write(&mut self, znode: (&str, i64, &str)) {
        self.membership.written(znode.0, self.now);
        self.pass(5);
        assert_eq!(self.read(&[znode]), [znode.0]);
    }
}

#[test]
fn an_instance_shows_when_its_record_was_read_also_where_only_names_are_asked_for() {
    let mut script = start(&[ANNE, "127.0.0.1:9"]);
    assert_eq!(script.ports(), [9], "its name tells the endpoint");
    assert!(script.membership.awaits_records(script.now), "the first set waits");
    assert_eq!(script.read(&[(ANNE, 1, "1")]), [ANNE], "no other record is read");
    assert_eq!(script.ports(), [1, 9]);
    assert!(!script.membership.awaits_records(script.now));
    script.membership.written("127.0.0.1:9", script.now);
    script.membership.created(BERT, script.now);
    script.pass(250);
    assert_eq!(script.ports(), [1, 9], "nothing is known of it");
    assert_eq!(script.read(&[(BERT, 2, "2")]), [BERT]);
    assert_eq!(script.ports(), [1, 2, 9], "late is better than never");
}

#[test]
fn the_older_of_two_znodes_takes_nothing_with_it_whatever_their_names() {
    for (old, young) in [(ANNE, BERT), (BERT, ANNE), ("127.0.0.1:1", ANNE), (ANNE, "127.0.0.1:1")] {
        for (told, gone, left) in
            [(false, old, young), (true, old, young), (false, young, old), (true, young, old)]
        {
            let mut script = start(&[old]);
            script.read(&[(old, 1, "1")]);
            script.membership.created(young, script.now);
            script.pass(5);
            script.read(&[(young, 2, "1")]);
            script.membership.deleted(gone, told, script.now);
            script.pass(5_000);
            assert_eq!(script.ports(), [1], "{old}, {young}: {gone} goes, told: {told}");
            script.membership.deleted(left, told, script.now);
            script.pass(5);
            assert_eq!(script.ports(), [0; 0], "{old}, {young}: {left} goes, told: {told}");
        }
    }
}

#[test]
fn an_instance_moves_with_its_record() {
    let mut script = start(&[ANNE, BERT]);
    script.read(&[(ANNE, 1, "1"), (BERT, 2, "9")]);
    script.write((ANNE, 1, "2"));
    assert_eq!(script.ports(), [1, 2, 9], "the old endpoint settles");
    script.pass(5);
    assert_eq!(script.ports(), [2, 9]);
    script.write((ANNE, 1, "9"));
    script.pass(5);
    assert_eq!(script.ports(), [9], "one of two znodes");
    script.write((ANNE, 1, "1"));
    script.pass(5);
    assert_eq!(script.ports(), [1, 9]);
}

#[test]
fn a_record_without_an_endpoint_is_skipped_and_takes_no_known_instance_away() {
    let mut script = start(&[ANNE]);
    script.read(&[(ANNE, 1, "")]);
    assert_eq!((script.ports(), script.membership.skipped(), script.membership.unreadable()), (vec![], 1, 0));
    assert!(!script.membership.awaits_records(script.now));
    script.write((ANNE, 1, "1"));
    assert_eq!(
        (script.ports(), script.membership.skipped(), script.membership.unreadable()),
        (vec![1], 0, 0)
    );
    script.write((ANNE, 1, "none"));
    assert_eq!(
        (script.ports(), script.membership.skipped(), script.membership.unreadable()),
        (vec![1], 0, 1)
    );
    script.membership.deleted(ANNE, false, script.now);
    script.pass(5);
    assert_eq!((script.ports(), script.membership.skipped(), script.membership.unreadable()), (vec![], 0, 0));
}

#[test]
fn a_record_that_may_not_be_read_takes_no_known_instance_away() {
    let mut script = start(&[ANNE, BERT]);
    script.read(&[(ANNE, 1, "1")]);
    assert_eq!((script.ports(), script.membership.unreadable()), (vec![1], 1));
    let recreated = BTreeSet::from([ANNE.to_owned()]);
    script.membership.listed(&[ANNE.to_owned(), BERT.to_owned()], &recreated, After::Following, script.now);
    assert_eq!(script.read(&[]), [ANNE]);
    script.pass(5);
    assert_eq!((script.ports(), script.membership.unreadable()), (vec![1], 2));
}

#[test]
fn a_told_removal_that_a_list_told_before_is_known_by_its_name() {
    let mut script = start(&[ANNE, BERT]);
    script.read(&[(ANNE, 1, "1"), (BERT, 2, "2")]);
    script.list([BERT.to_owned()], After::Following);
    script.membership.deleted(ANNE, true, script.now);
    assert_eq!(script.ports(), [2]);
}
