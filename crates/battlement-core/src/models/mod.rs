//! How much models take and say, as far as that is known for sure.
//!
//! A request that asks a model for more than it can say fails each time, and so does a prompt that is
//! larger than its window. To know that before anything is sent takes a table, and tables of models are
//! out of date on the day they are printed. So this one is small and errs to one side: it has only models
//! of which the numbers are known, under the names that their makers give them, and of several numbers
//! for a name (by date, by tier, with a header for a trial) the largest. A model that is not in it is not
//! judged. Whoever knows better says so where the table is used.
//!
//! ```
//! use battlement_core::{Provider, models};
//!
//! let limits = models::limits(Provider::OpenAi, "gpt-4o-2024-11-20").unwrap();
//! assert_eq!(limits.output, Some(16_384));
//! assert_eq!(limits.room(Some(16_384)), Some(128_000 - 16_384));
//! assert_eq!(models::limits(Provider::OpenAi, "gpt-4o-of-tomorrow"), None);
//! // Anybody may give a server of their own any name.
//! assert_eq!(models::limits(Provider::Generic, "gpt-4o"), None);
//! ```

mod table;
#[cfg(test)]
mod tests;

pub use table::DATED;
use table::{Maker, TABLE};

use crate::Provider;

/// What a model takes and says at most, in tokens; `None` is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// For prompt and answer together.
    pub window: Option<u64>,
    /// For the prompt alone.
    pub input: Option<u64>,
    /// For one answer.
    pub output: Option<u64>,
}

impl Limits {
    /// A window, and nothing else that is known.
    #[must_use]
    pub const fn window(tokens: u64) -> Self {
        Self { window: Some(tokens), input: None, output: None }
    }

    /// How large the prompt may be if the answer may have so many tokens.
    pub fn room(self, cap: Option<u64>) -> Option<u64> {
        let beside = self.window.map(|window| window.saturating_sub(cap.unwrap_or(0)));
        match (self.input, beside) {
            (Some(input), Some(beside)) => Some(input.min(beside)),
            (input, beside) => input.or(beside),
        }
    }
}

/// What is known about a model of this name at this provider.
pub fn limits(provider: Provider, model: &str) -> Option<Limits> {
    let makers: &[Maker] = match provider {
        Provider::OpenAi => &[Maker::OpenAi],
        Provider::Anthropic => &[Maker::Anthropic],
        Provider::Bedrock => &[Maker::Anthropic],
        Provider::Gemini => &[Maker::Google],
        Provider::Vertex => &[Maker::Google, Maker::Anthropic],
        Provider::Cohere => &[Maker::Cohere],
        // Deployments at Azure have whatever name they were given, and the others serve what they like.
        _ => return None,
    };
    let name = plain(provider, model);
    let rows = TABLE.iter().filter(|row| makers.contains(&row.maker));
    let row = rows.filter(|row| is_of(name, row.name)).max_by_key(|row| row.name.len())?;
    let limits = Limits { window: Some(row.window), input: row.input, output: Some(row.output) };
    // The Gemini API is not known to refuse a cap that is too high.
    let output = limits.output.filter(|_| provider != Provider::Gemini);
    Some(Limits { output, ..limits })
}

/// The name as its maker has it.
fn plain(provider: Provider, model: &str) -> &str {
    match provider {
        // `us.anthropic.claude-…`, or an ARN that ends so.
        Provider::Bedrock => {
            const MAKER: &str = "anthropic.";
            model.find(MAKER).map_or("", |at| &model[at + MAKER.len()..])
        }
        Provider::Gemini => model.strip_prefix("models/").unwrap_or(model),
        _ => model,
    }
}

/// Whether a name is a model's, or one of its snapshots: `-2024-08-06`, `@20250514`, `-v1:0`, `-latest`.
pub(crate) fn is_of(name: &str, model: &str) -> bool {
    let Some(rest) = name.strip_prefix(model) else { return false };
    if rest.is_empty() || rest == "-latest" {
        return true;
    }
    let Some(version) = rest.strip_prefix(['-', '@']) else { return false };
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    let begins = digits >= 3 || version.starts_with('v');
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'v' | b':');
    begins && version.bytes().all(is_part) && version.bytes().any(|byte| byte.is_ascii_digit())
}
