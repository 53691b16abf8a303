//! What is said to the operator of something that cannot be used.

use std::fmt;

/// Something that cannot be used as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// File and line, variable or flag.
    pub place: String,
    pub message: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
