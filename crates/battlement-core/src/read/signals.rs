//! What a slice of an answer brought.

use std::ops::{BitOr, BitOrAssign};

/// What happened while a slice was read. An event counts when it is complete, so a signal never
/// speaks of bytes that the caller's own parser could not use yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Signals(u8);

impl Signals {
    /// A complete event that is more than a sign of life.
    pub const EVENT: Self = Self(1);
    /// A comment or ping: the connection lives, the model has not said anything.
    pub const KEEP_ALIVE: Self = Self(2);
    /// Output of the model: text, reasoning, tool arguments, a refusal. The first is the commit
    /// point of a call.
    pub const OUTPUT: Self = Self(4);
    /// A choice came to its end.
    pub const FINISH: Self = Self(8);
    /// Token counts.
    pub const USAGE: Self = Self(16);
    /// An error inside the answer.
    pub const ERROR: Self = Self(32);
    /// The answer said that it is over.
    pub const END: Self = Self(64);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::EVENT, "EVENT"),
        (Self::KEEP_ALIVE, "KEEP_ALIVE"),
        (Self::OUTPUT, "OUTPUT"),
        (Self::FINISH, "FINISH"),
        (Self::USAGE, "USAGE"),
        (Self::ERROR, "ERROR"),
        (Self::END, "END"),
    ];

    /// Whether all of `signals` are here.
    pub const fn contains(self, signals: Self) -> bool {
        self.0 & signals.0 == signals.0
    }

    /// All signals in one byte, for whoever keeps them in an atomic.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The signals of such a byte.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether nothing happened: the slice held a part of an event.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Signals {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Signals {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(
                Self::NAMES.iter().filter(|(bit, _)| self.contains(*bit)).map(|(_, name)| name),
            )
            .finish()
    }
}
