//! The header before each operation of a multi, and before each of its results.

use crate::{ErrorCode, Malformed, OpCode, Reader, Writer};

/// The header of one part, or the end of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiHeader {
    /// The operation; [`OpCode::Error`] where its result is an error, and at the end.
    pub op_code: OpCode,
    /// Nothing follows.
    pub done: bool,
    /// In a result: its error code. Else -1.
    pub code: ErrorCode,
}

impl MultiHeader {
    /// The end of the operations, and of the results.
    pub const END: Self = Self { op_code: OpCode::Error, done: true, code: ErrorCode::SystemError };

    pub(crate) const fn of_request(op_code: OpCode) -> Self {
        Self { op_code, done: false, code: ErrorCode::SystemError }
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { op_code: reader.int()?.into(), done: reader.bool()?, code: reader.int()?.into() })
    }

    /// Writes a header.
    pub fn write(self, writer: Writer) -> Writer {
        writer.int(self.op_code.code()).bool(self.done).int(self.code.code())
    }
}
