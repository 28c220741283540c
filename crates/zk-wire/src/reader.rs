/// The bytes are not what they should be: too few of them, or a length that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed: the bytes end early or are invalid")]
pub struct Malformed;

impl From<Malformed> for std::io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, malformed)
    }
}

/// Reads the primitives of jute, big endian, from what is left of a frame.
///
/// Reading never panics. What it allocates is in proportion to the bytes that are present, not to the lengths that they
/// announce.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads these bytes: the body of a frame, or a part of it.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes that are not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Reads a byte; any but 0 is true, as in Java.
    ///
    /// # Errors
    /// [`Malformed`] at the end of the bytes.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.array::<1>()? != [0])
    }

    /// Reads four bytes.
    ///
    /// # Errors
    /// [`Malformed`] if there are fewer.
    pub fn int(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Reads eight bytes.
    ///
    /// # Errors
    /// [`Malformed`] if there are fewer.
    pub fn long(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Reads a buffer; a length of -1 is null, which is not the same as an empty one.
    ///
    /// # Errors
    /// [`Malformed`] if it ends early, or has another negative length.
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.int()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| Malformed)?).map(Some),
        }
    }

    /// Reads a string that may be null. What is not UTF-8 becomes U+FFFD, as in Java.
    ///
    /// # Errors
    /// Those of [`buffer`](Self::buffer).
    pub fn string_or_null(&mut self) -> Result<Option<String>, Malformed> {
        Ok(self.buffer()?.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    /// Reads a string that has to be there.
    ///
    /// # Errors
    /// Those of [`buffer`](Self::buffer), and [`Malformed`] for null.
    pub fn string(&mut self) -> Result<String, Malformed> {
        self.string_or_null()?.ok_or(Malformed)
    }

    /// Reads a vector; a count of -1 is null, and a smaller one is an empty vector, as for Apache ZooKeeper.
    ///
    /// # Errors
    /// Those of `item`, and [`Malformed`] if an item takes no bytes: then no count of them would be too large.
    pub fn vector<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<Vec<T>>, Malformed> {
        let count = self.int()?;
        if count == -1 {
            return Ok(None);
        }
        // Grows with the items that are there, never by the count alone.
        let mut items = Vec::new();
        for _ in 0..count {
            let left = self.0.len();
            items.push(item(self)?);
            if self.0.len() == left {
                return Err(Malformed);
            }
        }
        Ok(Some(items))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }
}
