use zk_wire::OpCode;

use super::recorded::Seen;

/// Chooses requests for a rule: by default the next one, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    what: What,
    path: Option<String>,
    pub(super) skip: u64,
    pub(super) times: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Op(OpCode),
    Creates,
    Any,
}

impl Match {
    /// Chooses requests of one operation. An [`OpCode`] can also stand for this itself.
    pub fn op(op: OpCode) -> Self {
        Self::new(What::Op(op))
    }

    /// Chooses requests that create one node, by whichever operation.
    pub fn creates() -> Self {
        Self::new(What::Creates)
    }

    /// Chooses every request, connects and pings included.
    pub fn any() -> Self {
        Self::new(What::Any)
    }

    /// Only requests for this path; those that do not begin with a path never match.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Lets so many matching requests go by first; the default is 0.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Chooses so many requests instead of one; 0 for none.
    #[must_use]
    pub fn times(mut self, requests: u64) -> Self {
        self.times = requests;
        self
    }

    /// Chooses all requests until the rule is lifted.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    pub(super) fn fits(&self, seen: &Seen) -> bool {
        let what = match self.what {
            What::Op(op) => op == seen.op,
            What::Creates => seen.op.is_create(),
            What::Any => true,
        };
        what && (self.path.is_none() || self.path == seen.path)
    }

    fn new(what: What) -> Self {
        Self { what, path: None, skip: 0, times: 1 }
    }
}

impl From<OpCode> for Match {
    fn from(op: OpCode) -> Self {
        Self::op(op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_fits_by_operation_and_path() {
        let seen = Seen { connection: 3, op: OpCode::Create2, xid: 7, path: Some("/a".into()) };
        assert!(Match::creates().path("/a").fits(&seen));
        assert!(!Match::creates().path("/b").fits(&seen));
        assert!(!Match::op(OpCode::Create).fits(&seen));
    }
}
