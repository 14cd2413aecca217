//! A cursor over one whole JSON text: where things are, without building a tree.
//!
//! Reading facts and rewriting single fields both need *positions*, and both must agree with the
//! server about them: a cursor that accepts what a JSON parser rejects could find a `model` that
//! the server never sees. So the grammar is checked in full (only the inside of strings is taken as
//! it comes, escapes excepted). Strings, which are nearly all of a prompt, are crossed many bytes
//! at a time. Nesting costs one byte per level, of heap if it is deep, and no stack, so a megabyte of `[` is
//! harmless, and every byte is looked at once.

use std::{borrow::Cow, ops::Range};

use smallvec::SmallVec;

use crate::scan::block::quote_or_backslash;

/// The text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {at}")]
pub struct NotJson {
    /// Where the grammar was first broken.
    pub at: usize,
}

/// The inside of a JSON string, escapes as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a [u8],
    escaped: bool,
}

/// What the cursor came across. Small, so that it travels in a register: what was written there
/// stays with the cursor, see [`Cursor::text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Key,
    String,
    Number,
    True,
    False,
    Null,
}

/// What an object looks like to someone who wants to add a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The position just behind the opening brace.
    pub(crate) open: usize,
    pub(crate) is_empty: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the last event began.
    start: usize,
    /// The last key, string or number, and whether it has escapes.
    raw: &'a [u8],
    escaped: bool,
    /// The open containers, outermost first.
    nesting: SmallVec<[Container; 24]>,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    /// Directly behind `{` or `[`.
    FirstOrEnd,
    CommaOrEnd,
    NothingMore,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            start: 0,
            raw: &[],
            escaped: false,
            nesting: SmallVec::new(),
            expect: Expect::Value,
        }
    }

    /// The next event, or `None` once the text ended as it should.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Event>, NotJson> {
        self.skip_space();
        let container = self.nesting.last().copied();
        match (self.expect, container, self.peek()) {
            (Expect::NothingMore, _, None) => return Ok(None),
            (Expect::NothingMore, ..) => return Err(self.broken()),
            (Expect::Value, ..) => return self.value().map(Some),
            (_, Some(Container::Object), Some(b'}')) => {
                return Ok(Some(self.close(Event::ObjectEnd)));
            }
            (_, Some(Container::Array), Some(b']')) => {
                return Ok(Some(self.close(Event::ArrayEnd)));
            }
            (Expect::CommaOrEnd, _, Some(b',')) => {
                self.at += 1;
                self.skip_space();
            }
            (Expect::FirstOrEnd, ..) => {}
            (Expect::CommaOrEnd, ..) => return Err(self.broken()),
        }
        match container {
            Some(Container::Object) => self.key().map(Some),
            _ => self.value().map(Some),
        }
    }

    /// The last key, string or number.
    #[inline]
    pub(super) fn text(&self) -> Text<'a> {
        Text { raw: self.raw, escaped: self.escaped }
    }

    /// Crosses the next value, however deep, and returns its bytes.
    fn skip_value(&mut self) -> Result<Range<usize>, NotJson> {
        let depth = self.nesting.len();
        self.next()?;
        let start = self.start;
        while self.nesting.len() > depth {
            self.next()?;
        }
        Ok(start..self.at)
    }

    /// Crosses the next element of the array that the cursor is in; `None` at its end.
    fn element(&mut self) -> Result<Option<Range<usize>>, NotJson> {
        let depth = self.nesting.len();
        if matches!(self.next()?, None | Some(Event::ArrayEnd)) {
            return Ok(None);
        }
        let start = self.start;
        while self.nesting.len() > depth {
            self.next()?;
        }
        Ok(Some(start..self.at))
    }

    #[inline]
    fn value(&mut self) -> Result<Event, NotJson> {
        self.start = self.at;
        let event = match self.peek() {
            Some(b'{') => return Ok(self.open(Container::Object, Event::ObjectStart)),
            Some(b'[') => return Ok(self.open(Container::Array, Event::ArrayStart)),
            Some(b'"') => {
                self.string()?;
                Event::String
            }
            Some(b't') => self.literal(b"true", Event::True)?,
            Some(b'f') => self.literal(b"false", Event::False)?,
            Some(b'n') => self.literal(b"null", Event::Null)?,
            _ => {
                self.number()?;
                Event::Number
            }
        };
        self.after_value();
        Ok(event)
    }

    #[inline]
    fn key(&mut self) -> Result<Event, NotJson> {
        self.start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.broken());
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.broken());
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Event::Key)
    }

    #[inline]
    fn open(&mut self, container: Container, event: Event) -> Event {
        self.at += 1;
        self.nesting.push(container);
        self.expect = Expect::FirstOrEnd;
        event
    }

    #[inline]
    fn close(&mut self, event: Event) -> Event {
        self.start = self.at;
        self.at += 1;
        self.nesting.pop();
        self.after_value();
        event
    }

    #[inline]
    fn after_value(&mut self) {
        self.expect =
            if self.nesting.is_empty() { Expect::NothingMore } else { Expect::CommaOrEnd };
    }

    /// Reads a string whose opening quote is next.
    #[inline]
    fn string(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            let Some(found) = quote_or_backslash(self.bytes, self.at) else {
                self.at = self.bytes.len();
                return Err(self.broken());
            };
            self.at = found;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                self.raw = &self.bytes[start..self.at - 1];
                self.escaped = escaped;
                return Ok(());
            }
            escaped = true;
            self.at += match self.bytes.get(self.at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                Some(b'u') if hex4(self.bytes.get(self.at + 2..)).is_some() => 6,
                _ => return Err(self.broken()),
            };
        }
    }

    fn literal(&mut self, word: &[u8], event: Event) -> Result<Event, NotJson> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.broken());
        }
        self.at += word.len();
        Ok(event)
    }

    fn number(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.raw = &self.bytes[start..self.at];
        self.escaped = false;
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), NotJson> {
        let count = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.broken());
        }
        self.at += count;
        Ok(())
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn broken(&self) -> NotJson {
        NotJson { at: self.at }
    }
}

/// Shows every member of the object that `bytes` is, with the byte range of its value.
///
/// `None` when the text is JSON but not an object. The text is checked to its end.
pub(crate) fn members<'a>(
    bytes: &'a [u8],
    mut visit: impl FnMut(Text<'a>, Range<usize>),
) -> Result<Option<Shape>, NotJson> {
    let mut cursor = Cursor::new(bytes);
    if cursor.next()? != Some(Event::ObjectStart) {
        while cursor.next()?.is_some() {}
        return Ok(None);
    }
    let mut shape = Shape { open: cursor.at, is_empty: true };
    while let Some(event) = cursor.next()? {
        if event == Event::Key {
            let key = cursor.text();
            shape.is_empty = false;
            let value = cursor.skip_value()?;
            visit(key, value);
        }
    }
    Ok(Some(shape))
}

/// Shows the byte range of every element of the array that `bytes` is.
///
/// False when the text is JSON but not an array. The text is checked to its end.
pub(crate) fn elements(bytes: &[u8], mut visit: impl FnMut(Range<usize>)) -> Result<bool, NotJson> {
    let mut cursor = Cursor::new(bytes);
    if cursor.next()? != Some(Event::ArrayStart) {
        while cursor.next()?.is_some() {}
        return Ok(false);
    }
    while let Some(element) = cursor.element()? {
        visit(element);
    }
    while cursor.next()?.is_some() {}
    Ok(true)
}

/// What a value says that is a string.
pub(crate) fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    let mut cursor = Cursor::new(value);
    let is_string = cursor.next().ok()? == Some(Event::String);
    is_string.then(|| cursor.text().decode())
}

impl<'a> Text<'a> {
    /// Where it begins in the bytes that it was read from, its quote included.
    pub(crate) fn start_in(self, bytes: &[u8]) -> usize {
        (self.raw.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize + 1)
    }

    /// Whether anything in it is written as an escape.
    #[cfg(feature = "canonical")]
    pub(super) fn is_escaped(self) -> bool {
        self.escaped
    }

    /// Calls `read` with the bytes of the text, its escapes resolved, for comparing them to names.
    #[inline]
    pub(crate) fn with_bytes<T>(self, read: impl FnOnce(&[u8]) -> T) -> T {
        if self.escaped { read(self.decode().as_bytes()) } else { read(self.raw) }
    }

    /// The text with its escapes resolved; what is not Unicode becomes U+FFFD.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        if !self.escaped {
            return match std::str::from_utf8(self.raw) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(self.raw),
            };
        }
        let mut decoded = Vec::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some((&byte, tail)) = rest.split_first() {
            if byte == b'\\' {
                let (character, length) = unescape(rest);
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(length..).unwrap_or_default();
            } else {
                decoded.push(byte);
                rest = tail;
            }
        }
        Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
    }
}

/// The character that the escape at the start of `bytes` means, and how long the escape is.
pub(super) fn unescape(bytes: &[u8]) -> (char, usize) {
    let simple = match bytes.get(1) {
        Some(b'u') => return unescape_unicode(bytes),
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(&other) if other.is_ascii() => char::from(other),
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    (simple, 2)
}

fn unescape_unicode(bytes: &[u8]) -> (char, usize) {
    let Some(first) = hex4(bytes.get(2..)) else { return (char::REPLACEMENT_CHARACTER, 2) };
    if let Some(character) = char::from_u32(first) {
        return (character, 6);
    }
    let second = match bytes.get(6..8) {
        Some(b"\\u") if first < 0xDC00 => hex4(bytes.get(8..)),
        _ => None,
    };
    match second {
        Some(second @ 0xDC00..=0xDFFF) => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

fn hex4(bytes: Option<&[u8]>) -> Option<u32> {
    bytes?
        .get(..4)?
        .iter()
        .try_fold(0, |code, &byte| Some(code * 16 + char::from(byte).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_json(text: &[u8]) -> bool {
        members(text, |_, _| {}).is_ok()
    }

    #[test]
    fn accepts_what_a_parser_accepts() {
        let texts = [
            "{}",
            " { } ",
            "[]",
            "[1,2]",
            "null",
            "-0.5e+3",
            "\"\\u00e9\\n\"",
            "",
            "{",
            "{,}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "[1,]",
            "[,1]",
            "{]",
            "[}",
            "01",
            "1.",
            "-",
            ".5",
            "1e",
            "nul",
            "truefalse",
            "{} {}",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"abc",
            "{a:1}",
            "{\"a\":1}}",
            "[[]",
            "[{\"a\":[{}]}]",
            "{\"a\":}",
            ":",
            "[1 2]",
            "{1:2}",
        ];
        for text in texts {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(is_json(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        assert!(!is_json(&b"[".repeat(1 << 20)));
        let deep = [b"[".repeat(1 << 20), b"]".repeat(1 << 20)].concat();
        assert!(is_json(&deep));
        assert!(!is_json(&b"{\"a\":".repeat(1 << 18)));
    }

    #[test]
    fn decodes_escapes() {
        let check = |raw: &str, expected: &str| {
            let text = Text { raw: raw.as_bytes(), escaped: raw.contains('\\') };
            assert_eq!(text.decode(), expected, "{raw}");
        };
        check("plain", "plain");
        check("mod\\u0065l", "model");
        check("\\ud83d\\ude00", "\u{1f600}");
        check("\\ud83d", "\u{fffd}");
        check("\\ud83dx\\ude00", "\u{fffd}x\u{fffd}");
        check("\\ud83d\\u0041", "\u{fffd}A");
        check("a\\\"\\\\\\/\\n\\t", "a\"\\/\n\t");
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(text in "[\\[\\]{}:,\"\\\\ant1e.\\- ]{0,12}") {
            let expected = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(is_json(text.as_bytes()), expected, "{}", text);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            is_json(&bytes);
        }
    }
}
