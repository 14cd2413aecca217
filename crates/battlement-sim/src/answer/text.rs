//! Words to say, and how they are written in JSON.

use std::fmt;

/// So many words, the same for the same number.
pub(super) fn sentences(number: u64, words: usize) -> String {
    // A model that writes more than this writes nonsense too.
    let words = words.min(MAX_WORDS);
    let mut text = String::with_capacity(words * 6);
    let first = STARTS[(number % STARTS.len() as u64) as usize];
    for word in WORDS.iter().cycle().skip(first).take(words) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// Cuts a text into so many pieces, and into fewer if it is that short.
pub(super) fn pieces(text: &str, count: usize) -> impl Iterator<Item = &str> {
    let count = count.clamp(1, text.len().max(1));
    let mut rest = text;
    (0..count).filter_map(move |number| {
        // Always the same share of what is left, which makes equal pieces without large numbers.
        let mut end = rest.len().div_ceil(count - number);
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A text as the inside of a JSON string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..=0x1F)) {
            f.write_str(&rest[..at])?;
            match rest.as_bytes()[at] {
                b'"' => f.write_str("\\\"")?,
                b'\\' => f.write_str("\\\\")?,
                b'\n' => f.write_str("\\n")?,
                byte => write!(f, "\\u{byte:04x}")?,
            }
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

const MAX_WORDS: usize = 1 << 20;

const WORDS: [&str; 64] = [
    "The", "gate", "was", "shut", "before", "the", "first", "wave", "of", "riders", "reached",
    "the", "ditch.", "From", "the", "wall", "one", "could", "count", "them", "by", "their",
    "torches.", "Nobody", "slept,", "and", "the", "well", "was", "guarded", "until", "dawn.",
    "Stones", "were", "carried", "up", "in", "baskets,", "two", "at", "a", "time.", "When", "the",
    "horn", "sounded", "again,", "half", "of", "the", "line", "stood", "back", "to", "rest.",
    "What", "holds", "a", "wall", "is", "not", "its", "height", "alone.",
];
/// Where sentences start.
const STARTS: [usize; 6] = [0, 13, 23, 32, 42, 55];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_words_as_asked_for() {
        for words in [0, 1, 2, 63, 64, 65, 1000] {
            for number in 0..7 {
                let text = sentences(number, words);
                assert_eq!(text.split_whitespace().count(), words, "{text}");
                assert_eq!(text, sentences(number, words));
            }
        }
        assert_ne!(sentences(0, 9), sentences(1, 9));
        for start in STARTS {
            assert!(WORDS[start].starts_with(char::is_uppercase));
        }
    }

    #[test]
    fn pieces_make_up_the_whole() {
        for text in ["", "a", "ab", "Grüße, 世界! 🏰🏰", "one two three four"] {
            for count in [0, 1, 2, 3, 7, 100] {
                let cut: Vec<&str> = pieces(text, count).collect();
                assert_eq!(cut.concat(), text);
                assert!(cut.iter().all(|piece| !piece.is_empty()));
                assert!(cut.len() <= count.max(1));
            }
        }
        assert!(pieces("abcdef", 4).eq(["ab", "cd", "e", "f"]));
    }
}
