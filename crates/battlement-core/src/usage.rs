//! What an answer cost in tokens, counted the same way for every provider.

/// Token counts of one answer.
///
/// `input` holds every prompt token, cache reads and writes included; `output` holds every
/// generated token, reasoning included. `cached_input` and `cache_write` are parts of `input`,
/// `reasoning` is a part of `output`. A count the provider did not give is `None`, never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// All prompt tokens.
    pub input: Option<u64>,
    /// All generated tokens.
    pub output: Option<u64>,
    /// Prompt tokens read from the provider's cache.
    pub cached_input: Option<u64>,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Generated tokens spent on reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Input plus output, when both are known.
    ///
    /// ```
    /// let mut usage = battlement_core::Usage::default();
    /// usage.input = Some(20);
    /// assert_eq!(usage.total(), None);
    /// usage.output = Some(3);
    /// assert_eq!(usage.total(), Some(23));
    /// ```
    pub fn total(&self) -> Option<u64> {
        Some(self.input?.saturating_add(self.output?))
    }

    /// Whether no count is known at all.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}
