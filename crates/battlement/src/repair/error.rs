//! What a caller gets instead of an answer that does not match.

use std::fmt;

use battlement_core::Code;

use crate::error::Explanation;

/// The answer is not what its schema asks for, and asking again has not helped.
///
/// Says where in the schema, and nothing of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalid {
    /// [`Code::SchemaMismatch`] of a text, [`Code::MalformedToolCall`] of a call.
    pub code: Code,
    /// How often the model was asked again.
    pub rounds: u32,
    /// How much is wrong with its last answer.
    pub errors: usize,
    /// The rules of the schema that it breaks, as JSON pointers; empty ones where it is no JSON.
    pub places: Vec<String>,
}

impl Invalid {
    pub(crate) fn explain(&self) -> Explanation<'_> {
        Explanation {
            code: self.code,
            retry_after: None,
            retryable: true,
            sent: true,
            verdict: None,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.code {
            Code::MalformedToolCall => "the call of a tool cannot be used",
            _ => "the answer does not match its schema",
        };
        write!(f, "{what}, asked again {} times: {} errors", self.rounds, self.errors)?;
        let places = self.places.iter().filter(|place| !place.is_empty()).take(3);
        for (number, place) in places.enumerate() {
            write!(f, "{} {place}", if number == 0 { ", by" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
