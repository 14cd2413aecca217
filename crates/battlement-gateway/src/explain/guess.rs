//! Who answered, and in which dialect, when nobody says.

use battlement_core::{Dialect, Provider, request::detect};
use http::HeaderMap;

/// What an answer is read as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker {
    pub(crate) dialect: Dialect,
    pub(crate) provider: Provider,
    pub(crate) dialect_is_guess: bool,
    pub(crate) provider_is_guess: bool,
}

/// Fills in what is not known: from headers and the first bytes of the body.
pub(crate) fn speaker(
    dialect: Option<Dialect>,
    provider: Option<Provider>,
    endpoint: Option<&str>,
    headers: &HeaderMap,
    start: &[u8],
) -> Speaker {
    if let (Some(dialect), Some(provider)) = (dialect, provider) {
        let (dialect_is_guess, provider_is_guess) = (false, false);
        return Speaker { dialect, provider, dialect_is_guess, provider_is_guess };
    }
    let (guess, sender) = detect::of_answer(endpoint, headers, start);
    Speaker {
        dialect_is_guess: dialect.is_none(),
        provider_is_guess: provider.is_none(),
        dialect: dialect
            .or(guess)
            .or_else(|| provider.and_then(Provider::usual_dialect))
            .unwrap_or(Dialect::OpenAiChat),
        provider: provider.unwrap_or(sender),
    }
}
