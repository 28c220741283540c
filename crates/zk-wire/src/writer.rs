use super::{Acl, Stat};

/// Writes the primitives of jute, big endian, into a frame.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Begins a frame with room for its length.
    pub(super) fn frame() -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend([0; 4]);
        Self(bytes)
    }

    /// Ends the frame by filling in its length.
    pub(super) fn end(mut self) -> Vec<u8> {
        let length = length(self.0.len() - 4);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.0.push(value.into());
    }

    pub(super) fn int(&mut self, value: i32) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn long(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.int(-1),
            Some(bytes) => {
                self.int(length(bytes.len()));
                self.0.extend(bytes);
            }
        }
    }

    pub(super) fn string(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    pub(super) fn vector<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.int(length(items.len()));
        for item in items {
            write(self, item);
        }
    }

    pub(super) fn strings(&mut self, items: &[String]) {
        self.vector(items, |writer, item| writer.string(item));
    }

    pub(super) fn acl(&mut self, acl: &[Acl]) {
        self.vector(acl, |writer, entry| {
            writer.int(entry.permissions);
            writer.string(&entry.scheme);
            writer.string(&entry.id);
        });
    }

    pub(super) fn stat(&mut self, stat: &Stat) {
        self.long(stat.czxid);
        self.long(stat.mzxid);
        self.long(stat.ctime);
        self.long(stat.mtime);
        self.int(stat.version);
        self.int(stat.cversion);
        self.int(stat.aversion);
        self.long(stat.ephemeral_owner);
        self.int(stat.data_length);
        self.int(stat.num_children);
        self.long(stat.pzxid);
    }
}

/// A length on the wire.
fn length(length: usize) -> i32 {
    i32::try_from(length).expect("nothing that is kept in memory for one reply has 2 GiB")
}
