//! Reads the transaction logs of Apache ZooKeeper: what was really committed, in order, by whom and when.
//!
//! A log has a header (magic number, version, database id), then for each transaction a checksum, its length, its bytes and a
//! `B`, and zeros up to its end. The bytes are a header (session, number within the session, zxid, wall-clock time, type) and
//! a record of that type.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use zk_wire::{Acl, Malformed, Reader};

/// `ZKLG`.
const MAGIC: i32 = 0x5a4b_4c47;
/// The types of a transaction of several, and of one that has failed.
const MULTI: i32 = 14;
const ERROR: i32 = -1;
/// Behind each transaction.
const END: u8 = b'B';

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Txn {
    pub(crate) zxid: i64,
    /// The session that asked for it.
    pub(crate) session: i64,
    /// When, by the wall clock of the leader, in whole milliseconds.
    pub(crate) wall: Duration,
    pub(crate) changes: Vec<Change>,
}

/// What a transaction has changed, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Created {
        path: String,
        data: Vec<u8>,
        ephemeral: bool,
    },
    Deleted {
        path: String,
    },
    Written {
        path: String,
        data: Vec<u8>,
    },
    SessionBegan,
    /// Its znodes are deleted with it.
    SessionEnded {
        /// The server has ended it, and not a client.
        expired: bool,
    },
}

/// Reads the logs in the data folders of an ensemble's servers. Each server has all transactions, but for those that came while
/// it was away and that it got as a snapshot.
///
/// # Errors
/// What cannot be read or understood.
pub(crate) fn read_all(folders: &[impl AsRef<Path>]) -> Result<BTreeMap<i64, Txn>, String> {
    let mut all = BTreeMap::new();
    for folder in folders {
        let folder = folder.as_ref().join("version-2");
        let files = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for file in files.flatten().filter(|file| file.file_name().to_string_lossy().starts_with("log.")) {
            let bytes = std::fs::read(file.path());
            let bytes = bytes.map_err(|error| format!("{}: {error}", file.path().display()))?;
            let txns = read(&bytes).map_err(|error| format!("{}: {error}", file.path().display()))?;
            all.extend(txns.into_iter().map(|txn| (txn.zxid, txn)));
        }
    }
    Ok(all)
}

fn read(bytes: &[u8]) -> Result<Vec<Txn>, Malformed> {
    let mut reader = Reader::new(bytes);
    // A server that was killed may leave a file that has no whole header yet.
    let (Ok(MAGIC), Ok(_version), Ok(_database)) = (reader.int(), reader.int(), reader.long()) else {
        return Ok(Vec::new());
    };
    let mut txns = Vec::new();
    // The end is zeros, or a transaction that was not written to its end when the server was killed.
    while let (Ok(_checksum), Ok(Some(txn))) = (reader.long(), reader.buffer()) {
        if txn.is_empty() || reader.rest().first() != Some(&END) {
            break;
        }
        reader = Reader::new(&reader.rest()[1..]);
        txns.push(txn_of(txn)?);
    }
    Ok(txns)
}

fn txn_of(bytes: &[u8]) -> Result<Txn, Malformed> {
    let mut reader = Reader::new(bytes);
    let (session, number) = (reader.long()?, reader.int()?);
    let (zxid, millis, kind) = (reader.long()?, reader.long()?, reader.int()?);
    let mut changes = Vec::new();
    match kind {
        -10 => changes.push(Change::SessionBegan),
        // A client numbers its requests from 1 on.
        -11 => changes.push(Change::SessionEnded { expired: number == 0 }),
        MULTI => {
            let parts = reader.vector(|reader| Ok((reader.int()?, reader.buffer()?.unwrap_or_default())))?;
            let parts = parts.unwrap_or_default();
            // One that failed is logged, too, with what came before the failure as if it had been done.
            let failed = parts.iter().any(|(kind, _)| *kind == ERROR);
            for (kind, bytes) in parts.into_iter().filter(|_| !failed) {
                change(kind, &mut Reader::new(bytes), &mut changes)?;
            }
        }
        kind => change(kind, &mut reader, &mut changes)?,
    }
    let wall = Duration::from_millis(u64::try_from(millis).map_err(|_| Malformed)?);
    Ok(Txn { zxid, session, wall, changes })
}

fn change(kind: i32, reader: &mut Reader<'_>, changes: &mut Vec<Change>) -> Result<(), Malformed> {
    match kind {
        // create, create2, createContainer, createTTL
        1 | 15 | 19 | 21 => {
            let path = reader.string()?;
            let data = reader.buffer()?.unwrap_or_default().to_vec();
            reader.vector(Acl::read)?;
            let ephemeral = matches!(kind, 1 | 15) && reader.bool()?;
            changes.push(Change::Created { path, data, ephemeral });
        }
        // delete, deleteContainer
        2 | 20 => changes.push(Change::Deleted { path: reader.string()? }),
        // setData
        5 => {
            let path = reader.string()?;
            changes.push(Change::Written { path, data: reader.buffer()?.unwrap_or_default().to_vec() });
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use zk_wire::Writer;

    use super::*;

    fn txn(number: i32, zxid: i64, kind: i32, record: &[u8]) -> Vec<u8> {
        Writer::new().long(7).int(number).long(zxid).long(1234).int(kind).raw(record).into_body()
    }

    fn log(txns: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = Writer::new().int(MAGIC).int(2).long(0);
        for txn in txns {
            writer = writer.long(99).buffer(Some(txn)).raw(&[END]);
        }
        writer.raw(&[0; 64]).into_body()
    }

    #[test]
    fn a_log_is_read_up_to_its_zeros() {
        let create = |path: &str| {
            let writer = Writer::new().string(path).buffer(Some(b"x"));
            writer.vector(Some(&[Acl::open()]), |writer, acl| acl.write(writer)).bool(true).int(1).into_body()
        };
        let delete = Writer::new().string("/a").into_body();
        let multi =
            Writer::new().int(2).int(2).buffer(Some(&delete)).int(1).buffer(Some(&create("/a"))).into_body();
        let failed =
            Writer::new().int(2).int(2).buffer(Some(&delete)).int(ERROR).buffer(Some(&[0; 4])).into_body();
        let bytes = log(&[
            txn(0, 1, -10, &[0, 0, 1, 0]),
            txn(1, 2, 1, &create("/a")),
            txn(2, 3, MULTI, &multi),
            txn(3, 4, ERROR, &[0; 4]),
            txn(0, 5, -11, &[]),
            txn(4, 6, MULTI, &failed),
        ]);
        let txns = read(&bytes).unwrap();
        let created = Change::Created { path: "/a".into(), data: b"x".to_vec(), ephemeral: true };
        let changes: Vec<_> = txns.iter().map(|txn| txn.changes.clone()).collect();
        let deleted = Change::Deleted { path: "/a".into() };
        assert_eq!(
            changes,
            [
                vec![Change::SessionBegan],
                vec![created.clone()],
                vec![deleted, created],
                vec![],
                vec![Change::SessionEnded { expired: true }],
                vec![],
            ]
        );
        assert!(txns.iter().all(|txn| txn.session == 7 && txn.wall == Duration::from_millis(1234)));
        assert!(txns.iter().map(|txn| txn.zxid).eq(1..=6));
    }

    #[test]
    fn what_was_cut_short_is_not_committed() {
        let whole = log(&[txn(1, 1, 2, &Writer::new().string("/a").into_body())]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_ok_and(|txns| txns.len() <= 1), "{length}");
        }
        assert_eq!(read(b"").unwrap(), []);
    }
}
