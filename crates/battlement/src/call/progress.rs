//! What an answer has shown so far, in one word.

use battlement_core::Signals;

/// What an answer has shown so far: all signals in the lowest byte, whether there is a head and whether
/// nobody reads the body in the next bits, and above them the number of times that there was
/// something new. Pings in a stream are nothing new; of other answers, every slice is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress(pub(super) u64);

pub(super) const HEAD: u64 = 1 << 8;
pub(super) const UNREAD: u64 = 1 << 9;
pub(super) const NEWS: u64 = 1 << 16;

impl Progress {
    /// Every signal so far.
    pub(crate) fn signals(self) -> Signals {
        Signals::from_bits(self.0 as u8)
    }

    /// Whether the model has said something.
    pub(crate) fn has_output(self) -> bool {
        self.signals().contains(Signals::OUTPUT)
    }

    /// Whether there is a head.
    pub(crate) fn has_head(self) -> bool {
        self.0 & HEAD != 0
    }

    /// Whether the body tells nothing: it is not read, or no longer.
    pub(crate) fn is_unread(self) -> bool {
        self.0 & UNREAD != 0
    }

    /// Changes with the head, and with all that is news.
    pub(crate) fn mark(self) -> u64 {
        self.0 & !(UNREAD | 0xff)
    }
}
