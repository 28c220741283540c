use crate::{Malformed, Reader, Writer};

/// The facts about a znode, in the order of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stat {
    /// The transaction that created the znode.
    pub czxid: i64,
    /// The transaction that last wrote its data.
    pub mzxid: i64,
    /// The time of the creation, in milliseconds since 1970.
    pub ctime: i64,
    /// The time of the last write of its data, in milliseconds since 1970.
    pub mtime: i64,
    /// How often its data was written since the creation.
    pub version: i32,
    /// How often its list of children changed.
    pub cversion: i32,
    /// How often its ACL changed.
    pub aversion: i32,
    /// The session that owns it, 0 for a persistent one; containers and times to live have special values here.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// The transaction that last changed its list of children.
    pub pzxid: i64,
}

impl Stat {
    /// Reads a stat: 68 bytes.
    ///
    /// # Errors
    /// [`Malformed`] if there are fewer.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            czxid: reader.long()?,
            mzxid: reader.long()?,
            ctime: reader.long()?,
            mtime: reader.long()?,
            version: reader.int()?,
            cversion: reader.int()?,
            aversion: reader.int()?,
            ephemeral_owner: reader.long()?,
            data_length: reader.int()?,
            num_children: reader.int()?,
            pzxid: reader.long()?,
        })
    }

    /// Writes a stat.
    pub fn write(&self, writer: Writer) -> Writer {
        let writer = writer.long(self.czxid).long(self.mzxid).long(self.ctime).long(self.mtime);
        let writer = writer.int(self.version).int(self.cversion).int(self.aversion);
        writer.long(self.ephemeral_owner).int(self.data_length).int(self.num_children).long(self.pzxid)
    }
}
