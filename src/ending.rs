//! How an exchange came to its end.

/// How an exchange came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last byte of the answer was handed out.
    Whole,
    /// The upstream's answer broke off.
    UpstreamCut,
    /// Nobody reads the answer any more.
    ClientLeft,
    /// The client took nothing of it for too long.
    ClientStalled,
    /// The proxy is stopping, and ended an event stream between two events.
    Drained,
}

impl Ending {
    /// The name in logs and captures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::UpstreamCut => "upstream-cut",
            Self::ClientLeft => "client-left",
            Self::ClientStalled => "client-stalled",
            Self::Drained => "drained",
        }
    }
}
