//! Turns what a server sent into text that does not depend on when and where it ran.

use std::time::{SystemTime, UNIX_EPOCH};

use zk_wire::{Acl, Malformed, MultiHeader, OpCode, Reader};

use super::request::{acl_text, show_data};

/// How far a clock may be from ours to count as now.
const NOW_MS: i64 = 300_000;

/// More transactions than a case has.
const FAR: i64 = 1 << 20;

/// What has to be hidden in one case on one server.
#[derive(Debug)]
pub(crate) struct Masks {
    /// The root of the case.
    pub(crate) root: String,
    /// The transaction that made it.
    pub(crate) base: i64,
    /// Sessions in the order of their appearance.
    sessions: Vec<i64>,
}

impl Masks {
    pub(crate) fn new(root: String, base: i64) -> Self {
        Self { root, base, sessions: Vec::new() }
    }

    /// Shows a zxid as its distance from the start of the case.
    pub(crate) fn zxid(&self, zxid: i64) -> String {
        match zxid {
            -1..=0 => zxid.to_string(),
            _ if zxid > self.base.saturating_add(FAR) => "far ahead".into(),
            _ if zxid >= self.base => format!("z+{}", zxid - self.base),
            _ => "earlier".into(),
        }
    }

    /// Shows a session by the order of its appearance in the case.
    pub(crate) fn session(&mut self, id: i64) -> String {
        if id == 0 {
            return "0".into();
        }
        let known = self.sessions.iter().position(|&known| known == id);
        let index = known.unwrap_or_else(|| {
            self.sessions.push(id);
            self.sessions.len() - 1
        });
        format!("S{}", index + 1)
    }

    pub(crate) fn path(&self, text: &str) -> String {
        text.replace(&self.root, "~")
    }

    fn owner(&self, id: i64) -> String {
        match self.sessions.iter().position(|&known| known == id) {
            Some(index) => format!("S{}", index + 1),
            None => format!("{id:#x}"),
        }
    }

    /// Shows the body of a good reply, and what is too much or too little in it.
    pub(crate) fn body(&self, op: OpCode, body: &[u8]) -> String {
        let mut input = Reader::new(body);
        match self.result(op, &mut input) {
            Err(Malformed) => format!("TOO SHORT {}", hex(body)),
            Ok(text) if input.rest().is_empty() => text,
            Ok(text) => format!("{text} TRAILING {}", hex(input.rest())),
        }
    }

    fn result(&self, op: OpCode, input: &mut Reader<'_>) -> Result<String, Malformed> {
        Ok(match op {
            OpCode::Create | OpCode::Sync => format!("path={}", self.path(&text(input)?)),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                format!("path={} {}", self.path(&text(input)?), self.stat(input)?)
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => self.stat(input)?,
            OpCode::GetData => format!("data={} {}", show_data(input.buffer()?), self.stat(input)?),
            OpCode::GetAcl => {
                let list = input.vector(Acl::read)?;
                let list = list.map(acl_texts);
                format!("acl={list:?} {}", self.stat(input)?)
            }
            OpCode::GetChildren | OpCode::GetEphemerals => self.names(input)?,
            OpCode::GetChildren2 => format!("{} {}", self.names(input)?, self.stat(input)?),
            OpCode::GetAllChildrenNumber => format!("number={}", input.int()?),
            OpCode::WhoAmI => {
                let list = input.vector(|input| Ok(format!("{}:{}", text(input)?, text(input)?)))?;
                // Apache keeps them in a hash set.
                let list = list.map(|mut list| {
                    list.sort();
                    list
                });
                format!("users={list:?}")
            }
            OpCode::Multi | OpCode::MultiRead => self.multi(input)?,
            // The reply has a code as its body, though the header has one.
            OpCode::AddWatch | OpCode::Error => format!("code={}", input.int()?),
            _ => String::new(),
        })
    }

    fn multi(&self, input: &mut Reader<'_>) -> Result<String, Malformed> {
        let mut results = Vec::new();
        loop {
            let header = MultiHeader::read(input)?;
            let MultiHeader { op_code, done, code } = header;
            if done {
                if header != MultiHeader::END {
                    results.push(format!("unusual end op={op_code} err={}", code.code()));
                }
                return Ok(format!("[{}]", results.join("; ")));
            }
            let result = format!("{op_code} err={} {}", code.code(), self.result(op_code, input)?);
            results.push(result.trim_end().to_owned());
        }
    }

    /// Reads a list of names; their order is a server's own affair.
    fn names(&self, input: &mut Reader<'_>) -> Result<String, Malformed> {
        let list = input.vector(text)?.map(|mut list| {
            list.iter_mut().for_each(|name| *name = self.path(name));
            list.sort();
            list
        });
        Ok(list.map_or_else(|| "names=null".into(), |list| format!("names={list:?}")))
    }

    fn stat(&self, input: &mut Reader<'_>) -> Result<String, Malformed> {
        let (czxid, mzxid) = (self.zxid(input.long()?), self.zxid(input.long()?));
        let (ctime, mtime) = (input.long()?, input.long()?);
        let (version, cversion, aversion) = (input.int()?, input.int()?, input.int()?);
        let owner = self.owner(input.long()?);
        let (length, children) = (input.int()?, input.int()?);
        let pzxid = self.zxid(input.long()?);
        let order = if mtime < ctime { " MTIME<CTIME" } else { "" };
        Ok(format!(
            "{{c={czxid} m={mzxid} p={pzxid} ctime={} mtime={}{order} v={version} cv={cversion} av={aversion} \
             owner={owner} len={length} children={children}}}",
            time(ctime),
            time(mtime),
        ))
    }
}

fn text(input: &mut Reader<'_>) -> Result<String, Malformed> {
    Ok(input.string_or_null()?.unwrap_or_else(|| "(null)".into()))
}

/// Shows an ACL in its order, but for the digests next to each other: Apache keeps the users of a connection in a hash set,
/// and that is the order in which it puts them in the place of `auth`.
fn acl_texts(list: Vec<Acl>) -> Vec<String> {
    let mut list = list;
    let one_auth = |left: &Acl, right: &Acl| {
        (left.permissions, &left.scheme) == (right.permissions, &right.scheme) && left.scheme == "digest"
    };
    list.chunk_by_mut(one_auth).for_each(|run| run.sort_by(|left, right| left.id.cmp(&right.id)));
    list.iter().map(acl_text).collect()
}

fn time(ms: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    if ms.abs_diff(now) < NOW_MS.unsigned_abs() { "now".into() } else { ms.to_string() }
}

fn hex(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(200).map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes {shown}", bytes.len())
}
