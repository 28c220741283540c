//! The protocol's encoding, written a second time: a codec shared with the server would hide its errors.

use std::fmt;

/// Op codes.
pub(crate) mod op {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_ACL: i32 = 6;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const SYNC: i32 = 9;
    pub(crate) const PING: i32 = 11;
    pub(crate) const GET_CHILDREN2: i32 = 12;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const CREATE2: i32 = 15;
    pub(crate) const CHECK_WATCHES: i32 = 17;
    pub(crate) const REMOVE_WATCHES: i32 = 18;
    pub(crate) const CREATE_CONTAINER: i32 = 19;
    pub(crate) const CREATE_TTL: i32 = 21;
    pub(crate) const MULTI_READ: i32 = 22;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const SET_WATCHES: i32 = 101;
    pub(crate) const GET_EPHEMERALS: i32 = 103;
    pub(crate) const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub(crate) const SET_WATCHES2: i32 = 105;
    pub(crate) const ADD_WATCH: i32 = 106;
    pub(crate) const WHO_AM_I: i32 = 107;
    pub(crate) const CLOSE_SESSION: i32 = -11;
    pub(crate) const ERROR: i32 = -1;
}

/// The xids that ZooKeeper's clients reserve.
pub(crate) mod xid {
    pub(crate) const EVENT: i32 = -1;
    pub(crate) const PING: i32 = -2;
    pub(crate) const AUTH: i32 = -4;
    pub(crate) const SET_WATCHES: i32 = -8;
}

/// Who may do what: permissions, scheme, id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acl(pub(crate) i32, pub(crate) String, pub(crate) String);

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.1, self.2, self.0)
    }
}

/// Bytes on their way out.
#[derive(Debug, Default)]
pub(crate) struct Out(Vec<u8>);

impl Out {
    pub(crate) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn flag(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub(crate) fn bytes(self, value: Option<&[u8]>) -> Self {
        match value {
            None => self.int(-1),
            Some(bytes) => self.count(bytes.len()).raw(bytes),
        }
    }

    pub(crate) fn text(self, value: &str) -> Self {
        self.bytes(Some(value.as_bytes()))
    }

    pub(crate) fn texts<'a>(self, values: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let out = self.count(values.len());
        values.fold(out, Self::text)
    }

    pub(crate) fn acls(self, values: Option<&[Acl]>) -> Self {
        match values {
            None => self.int(-1),
            Some(acls) => acls.iter().fold(self.count(acls.len()), |out, Acl(permissions, scheme, id)| {
                out.int(*permissions).text(scheme).text(id)
            }),
        }
    }

    fn count(self, length: usize) -> Self {
        self.int(i32::try_from(length).expect("a test sends less than 2 GiB"))
    }

    /// Returns the bytes without a length before them.
    pub(crate) fn body(self) -> Vec<u8> {
        self.0
    }

    /// Returns the bytes as a frame.
    pub(crate) fn frame(self) -> Vec<u8> {
        Self::default().bytes(Some(&self.0)).0
    }
}

/// The bytes ended too early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short;

/// Bytes that came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct In<'a>(pub(crate) &'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn int(&mut self) -> Result<i32, Short> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().expect("four were taken")))
    }

    pub(crate) fn long(&mut self) -> Result<i64, Short> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into().expect("eight were taken")))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Short> {
        Ok(self.take(1)?[0] != 0)
    }

    pub(crate) fn bytes(&mut self) -> Result<Option<&'a [u8]>, Short> {
        match self.int()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| Short)?).map(Some),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, Short> {
        Ok(self.bytes()?.map_or_else(|| "(null)".into(), |bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    /// Reads a list; a null one is `None`.
    pub(crate) fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Short>,
    ) -> Result<Option<Vec<T>>, Short> {
        match self.int()? {
            -1 => Ok(None),
            length => (0..length).map(|_| one(self)).collect::<Result<_, _>>().map(Some),
        }
    }
}
