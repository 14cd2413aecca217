//! What is wrong with a request that cannot succeed, found before it is sent.
//!
//! A request without messages, with a schema that is none or with the key from the documentation fails at the
//! provider as well, but later: after it has waited for its turn, taken its share of the limits, and come back with
//! a status that a retry or a breaker has to make sense of. So the body is looked through once for what is
//! certain to fail. What is only likely to is left alone, and what some servers let pass is not found at those: one that
//! runs its own model may need no name for it and look at no key.
//!
//! - [`Inspection`]: what is looked for in a body, and [`Finding`]s.
//! - [`key`]: whether the key of a request is one.
//!
//! ```
//! use battlement_core::{
//!     preflight::{Check, Inspection},
//!     request::Facts,
//! };
//! use http::{HeaderMap, Method, Uri};
//!
//! let uri = Uri::from_static("https://api.openai.com/v1/chat/completions");
//! let body = br#"{"model": "gpt-4o", "max_tokens": 50000, "messages": []}"#;
//! let facts = Facts::read(&Method::POST, &uri, &HeaderMap::new(), body);
//!
//! let found = Inspection::of(&facts).findings(&facts, body);
//! assert_eq!(found[0].check, Check::Prompt);
//! assert_eq!(found[0].to_string(), "/messages: there is no message");
//! assert_eq!(found[1].check, Check::OutputCap);
//! ```

mod body;
mod key;
mod schema;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

pub use body::Inspection;
pub use key::key;
pub use schema::{Flaw, Judge};

use crate::Provider;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Check {
    /// The body is a JSON object.
    Json,
    /// A model is named.
    Model,
    /// Something is asked: messages, contents, input.
    Prompt,
    /// Schemas of tools and of the answer are valid.
    Schema,
    /// The answer may not be longer than the model can make it.
    OutputCap,
    /// The key, if there is one, is not empty and not the one from the documentation.
    Key,
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 6] =
        [Self::Json, Self::Model, Self::Prompt, Self::Schema, Self::OutputCap, Self::Key];

    /// The name for settings, logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Model => "model",
            Self::Prompt => "prompt",
            Self::Schema => "schema",
            Self::OutputCap => "output_cap",
            Self::Key => "key",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Some of the checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks(u8);

impl Checks {
    /// None.
    pub const NONE: Self = Self(0);

    /// Every one.
    pub const ALL: Self = Self((1 << Check::ALL.len()) - 1);

    /// With one more.
    #[must_use]
    pub const fn with(self, check: Check) -> Self {
        Self(self.0 | check.bit())
    }

    /// Without one.
    #[must_use]
    pub const fn without(self, check: Check) -> Self {
        Self(self.0 & !check.bit())
    }

    /// Whether it is one of them.
    pub const fn has(self, check: Check) -> bool {
        self.0 & check.bit() != 0
    }
}

/// Something that is wrong with a request. Holds nothing of prompt or key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked for.
    pub check: Check,
    /// Where it is, or would be: a JSON pointer into the body, which is empty for the body itself; or `path`, or
    /// the name of a header or of a part of the query, which begin with no slash.
    pub at: String,
    /// What is wrong, as a sentence without its full stop.
    pub sentence: Cow<'static, str>,
}

impl Finding {
    fn new(check: Check, at: impl Into<String>, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { check, at: at.into(), sentence: sentence.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" => f.write_str(&self.sentence),
            at => write!(f, "{at}: {}", self.sentence),
        }
    }
}

/// Whether somebody else runs whatever model they like there, and is not known to need a key, the name of a model or a
/// first message.
const fn is_easy_going(provider: Provider) -> bool {
    matches!(
        provider,
        Provider::Generic
            | Provider::Ollama
            | Provider::Vllm
            | Provider::Sglang
            | Provider::LlamaCpp
    )
}
