/// The bytes do not say what they should: too few of them, or a length that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

pub(super) type Result<T> = std::result::Result<T, Malformed>;

/// Reads the primitives of jute, big endian, from what is left of a frame.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bool(&mut self) -> Result<bool> {
        Ok(self.array::<1>()? != [0])
    }

    pub(super) fn int(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn long(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Reads a buffer; a length of -1 is none, which is not the same as an empty one.
    pub(super) fn buffer(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.bytes()?.map(<[u8]>::to_vec))
    }

    /// Reads a string that may be missing. What is no UTF-8 becomes U+FFFD, as in Java.
    pub(super) fn string_or_none(&mut self) -> Result<Option<String>> {
        Ok(self.bytes()?.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    /// Reads a string that has to be there.
    pub(super) fn string(&mut self) -> Result<String> {
        self.string_or_none()?.ok_or(Malformed)
    }

    /// Reads a vector; a count of -1 is none, and less than that is an empty one to the real server, too.
    pub(super) fn vector<T>(&mut self, item: impl Fn(&mut Self) -> Result<T>) -> Result<Option<Vec<T>>> {
        let count = self.int()?;
        if count == -1 {
            return Ok(None);
        }
        // Grows with what is there, never by the count alone: every item takes bytes of the frame, or fails.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(Some(items))
    }

    fn bytes(&mut self) -> Result<Option<&'a [u8]>> {
        match self.int()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| Malformed)?).map(Some),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }
}
