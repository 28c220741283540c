/// Writes the primitives of jute, big endian, into a frame.
///
/// ```
/// use zk_wire::Writer;
///
/// let frame = Writer::new().int(7).string("/a").into_frame();
/// assert_eq!(frame, b"\0\0\0\x0a\0\0\0\x07\0\0\0\x02/a");
/// ```
///
/// # Panics
/// Every method panics where a length does not fit 31 bits: at 2 GiB in one frame.
#[derive(Clone, Debug)]
#[must_use]
pub struct Writer(Vec<u8>);

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// Begins a frame.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(128);
        // Room for the length.
        bytes.extend([0; 4]);
        Self(bytes)
    }

    /// Returns the frame, its length first.
    #[must_use]
    pub fn into_frame(mut self) -> Vec<u8> {
        let length = length(self.0.len() - 4);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }

    /// Returns what was written, without a length.
    #[must_use]
    pub fn into_body(mut self) -> Vec<u8> {
        self.0.split_off(4)
    }

    /// Writes bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// Writes a byte, 0 or 1.
    pub fn bool(self, value: bool) -> Self {
        self.raw(&[value.into()])
    }

    /// Writes four bytes.
    pub fn int(self, value: i32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// Writes eight bytes.
    pub fn long(self, value: i64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// Writes a buffer; `None` is null, which is not the same as an empty one.
    pub fn buffer(self, value: Option<&[u8]>) -> Self {
        match value {
            None => self.int(-1),
            Some(bytes) => self.int(length(bytes.len())).raw(bytes),
        }
    }

    /// Writes a string.
    pub fn string(self, value: &str) -> Self {
        self.buffer(Some(value.as_bytes()))
    }

    /// Writes a vector by a function that writes one item; `None` is null.
    pub fn vector<T>(self, items: Option<&[T]>, item: impl Fn(Self, &T) -> Self) -> Self {
        match items {
            None => self.int(-1),
            Some(items) => items.iter().fold(self.int(length(items.len())), item),
        }
    }

    pub(crate) fn strings(self, items: &[String]) -> Self {
        self.vector(Some(items), |writer, item| writer.string(item))
    }
}

fn length(length: usize) -> i32 {
    i32::try_from(length).expect("a frame has less than 2 GiB")
}
