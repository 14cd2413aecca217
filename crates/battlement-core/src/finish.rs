//! How each choice of an answer ended, with the provider's own word kept.

use crate::FinishClass;

/// The end of one choice (candidate) of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finish {
    /// The choice's own index, not its position on the wire.
    pub index: u32,
    /// What the reason means.
    pub class: FinishClass,
    /// The reason as the provider wrote it; `None` when it gave none.
    pub reason: Option<Box<str>>,
    /// The upstream's own reason where a router passes it on (OpenRouter).
    pub native_reason: Option<Box<str>>,
}
