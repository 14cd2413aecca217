//! Refusals in prose.

use battlement_core::Opening;

/// How models decline that have no other way to say so: the usual beginnings, for
/// [`FinishLayer::refusal_phrases`](super::FinishLayer::refusal_phrases).
///
/// Only beginnings that are hardly ever anything else: "I'm sorry" alone may open an apology, and
/// "I can't" a story.
pub const REFUSALS: [&str; 16] = [
    "i'm sorry, but i can't",
    "i'm sorry, but i cannot",
    "i'm sorry, but i'm unable to",
    "i'm sorry, i can't",
    "i am sorry, but i can",
    "sorry, but i can't",
    "sorry, i can't",
    "i can't help with",
    "i can't assist with",
    "i cannot help with",
    "i cannot assist with",
    "i'm unable to help with",
    "i'm unable to assist with",
    "i'm not able to help with",
    "i won't help with",
    "as an ai language model, i cannot",
];

/// How much of an answer is looked at. A phrase that is longer is never found.
const MOST: usize = 256;

/// The beginnings that mean a refusal.
#[derive(Clone, Debug, Default)]
pub(super) struct Phrases(std::sync::Arc<[Box<str>]>);

impl Phrases {
    pub(super) fn new(phrases: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let phrases = phrases.into_iter().map(|phrase| plain(phrase.as_ref()));
        // An empty one would find every answer.
        Self(phrases.filter(|phrase| !phrase.is_empty()).map(Into::into).collect())
    }

    /// Whether an answer begins with one of them.
    pub(super) fn open<'a>(&self, answer: impl Iterator<Item = &'a [u8]>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mut opening = Opening::new(MOST);
        for slice in answer {
            opening.feed(slice);
            if opening.is_full() {
                break;
            }
        }
        let text = plain(&opening.text());
        self.0.iter().any(|phrase| text.starts_with(&**phrase))
    }
}

/// In lower case, with straight apostrophes and single blanks, and without what may stand before the
/// first word.
fn plain(text: &str) -> String {
    let text = text.trim_start_matches(|first: char| !first.is_alphanumeric());
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().flat_map(char::to_lowercase).map(|character| match character {
            '\u{2019}' | '\u{2bc}' | '`' => '\'',
            other => other,
        }));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: bool) {
        let body = format!(r#"{{"role":"assistant","content":"{text}"}}"#);
        let slices = body.as_bytes().chunks(7);
        assert_eq!(Phrases::new(REFUSALS).open(slices), expected, "{text}");
    }

    #[test]
    fn refusals_are_told_from_answers() {
        check("I'm sorry, but I can't help with that.", true);
        check("I\u{2019}m sorry, but I can\u{2019}t help with that.", true);
        check("I\\u2019m sorry, but I can\\u2019t help with that.", true);
        check("\\n**I cannot  assist\\nwith** this.", true);
        check("I'm sorry for your loss.", false);
        check("I can't believe it, she said.", false);
        check("The phrase \\\"I can't help with that\\\" is a refusal.", false);
        check("", false);
    }

    #[test]
    fn an_empty_phrase_finds_nothing() {
        let phrases = Phrases::new(["", "  ", "no"]);
        assert!(!phrases.open([&br#"{"text":"Yes."}"#[..]].into_iter()));
        assert!(phrases.open([&br#"{"text":"No."}"#[..]].into_iter()));
        assert!(!Phrases::default().open([&br#"{"text":"No."}"#[..]].into_iter()));
    }
}
