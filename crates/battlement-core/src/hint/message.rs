//! Waits told in half a sentence of an error message.
//!
//! The last resort, and the least trustworthy: a message also holds limits, usage and, at worst,
//! the caller's own words. So only a number that follows one of these phrases at once, and has a
//! unit of time, is a hint.

use super::duration;

/// What comes before the duration; lower case.
const PHRASES: [&str; 6] = [
    "try again in ",
    "try again after ",
    "retry in ",
    "retry after ",
    "please wait for ",
    "please wait ",
];

/// Finds the first wait in a message, as nanoseconds.
pub(super) fn find(message: &str) -> Option<u128> {
    let bytes = message.as_bytes();
    (0..bytes.len()).filter(|&at| at == 0 || !bytes[at - 1].is_ascii_alphanumeric()).find_map(
        |at| {
            let phrase = PHRASES.into_iter().find(|phrase| starts_with(&bytes[at..], phrase))?;
            // A phrase is ASCII, so it ends between two characters.
            let (nanoseconds, _) = duration::leading(message.get(at + phrase.len()..)?)?;
            (nanoseconds > 0).then_some(nanoseconds)
        },
    )
}

fn starts_with(text: &[u8], phrase: &str) -> bool {
    text.get(..phrase.len()).is_some_and(|start| start.eq_ignore_ascii_case(phrase.as_bytes()))
}
