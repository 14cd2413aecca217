//! The words of a script, one after the other.

use std::{str::FromStr, time::Duration};

/// The words are no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: expected {expected}")]
pub struct InvalidScript {
    /// Where in the text.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
}

/// The longest time of a script.
pub(super) const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Units of time in words, from long to short.
pub(super) const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const TEXT: &str = "a text between quotes";

/// What is left of a text.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    text: &'a str,
    pub(super) at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn text_in_utf8(&mut self) -> Result<String, InvalidScript> {
        let at = self.peek().0;
        String::from_utf8(self.text()?)
            .map_err(|_| InvalidScript { at, expected: "a text in UTF-8" })
    }

    /// A text between quotes, with its escapes resolved.
    pub(super) fn text(&mut self) -> Result<Vec<u8>, InvalidScript> {
        self.expect("\"", TEXT)?;
        let bytes = self.text.as_bytes();
        let mut text = Vec::new();
        loop {
            let at = self.at;
            let &byte =
                bytes.get(at).ok_or(InvalidScript { at, expected: "`\"` at the end of a text" })?;
            self.at += 1;
            match byte {
                b'"' => return Ok(text),
                b'\\' => text.push(self.escape(at)?),
                _ => text.push(byte),
            }
        }
    }

    /// What is behind a backslash.
    fn escape(&mut self, at: usize) -> Result<u8, InvalidScript> {
        let escape = self.text.as_bytes().get(self.at).copied();
        let unknown =
            InvalidScript { at, expected: "one of \\\" \\\\ \\n \\r \\t \\x00 behind a backslash" };
        let byte = match escape {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'"') => b'"',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let code = self.text.get(self.at + 1..self.at + 3).filter(|code| is_hex(code));
                let byte =
                    code.and_then(|code| u8::from_str_radix(code, 16).ok()).ok_or(unknown)?;
                self.at += 3;
                return Ok(byte);
            }
            _ => return Err(unknown),
        };
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn number<N: FromStr>(
        &mut self,
        expected: &'static str,
    ) -> Result<N, InvalidScript> {
        let (at, word) = self.next();
        let number = Some(word).filter(|word| is_number(word)).and_then(|word| word.parse().ok());
        number.ok_or(InvalidScript { at, expected })
    }

    pub(super) fn expect(
        &mut self,
        phrase: &str,
        expected: &'static str,
    ) -> Result<(), InvalidScript> {
        let at = self.peek().0;
        if self.eat(phrase) { Ok(()) } else { Err(InvalidScript { at, expected }) }
    }

    /// Passes over some words, if they come next.
    pub(super) fn eat(&mut self, phrase: &str) -> bool {
        let mut ahead = *self;
        let is_next = phrase.split(' ').all(|word| ahead.next().1.eq_ignore_ascii_case(word));
        if is_next {
            *self = ahead;
        }
        is_next
    }

    pub(super) fn over(&self, expected: &'static str) -> Result<(), InvalidScript> {
        if self.is_over() { Ok(()) } else { Err(InvalidScript { at: self.peek().0, expected }) }
    }

    pub(super) fn is_over(&self) -> bool {
        self.peek().1.is_empty()
    }

    pub(super) fn next(&mut self) -> (usize, &'a str) {
        let (at, word) = self.peek();
        self.at = at + word.len();
        (at, word)
    }

    /// The next word and where it is. Marks are words of their own; at the end it is empty.
    pub(super) fn peek(&self) -> (usize, &'a str) {
        let rest = &self.text[self.at..];
        let word = rest.trim_start();
        let at = self.text.len() - word.len();
        let is_mark = |letter: char| matches!(letter, ';' | ',' | '"');
        let end = match word.chars().next() {
            Some(first) if is_mark(first) => 1,
            _ => word
                .find(|letter: char| letter.is_whitespace() || is_mark(letter))
                .unwrap_or(word.len()),
        };
        (at, &word[..end])
    }
}

pub(super) fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `1m30s`, `1.5s`.
pub(super) fn time(word: &str) -> Option<Duration> {
    let (mut nanoseconds, mut rest) = (0_u128, word);
    while !rest.is_empty() {
        let letters = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (number, behind) = rest.split_at(letters);
        let end = behind.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (name, behind) = behind.split_at(end);
        let (_, unit) = UNITS.into_iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name))?;
        nanoseconds = nanoseconds.checked_add(decimal(number, unit)?)?;
        rest = behind;
    }
    let time = Duration::from_nanos(u64::try_from(nanoseconds).ok()?);
    (!word.is_empty() && time <= LONGEST).then_some(time)
}

/// A number with a fraction, as so many of a unit, if it is a whole number of them.
pub(super) fn decimal(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 12 {
        return None;
    }
    let scale = 10_u128.pow(fraction.len() as u32);
    let parts = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    (parts % scale == 0).then(|| whole.checked_add(parts / scale)).flatten()
}
