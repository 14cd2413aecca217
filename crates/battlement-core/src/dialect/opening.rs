//! The first words of an answer, for those who have to look at them.
//!
//! Nothing else here looks at what a model says. But some models decline in prose and call it a
//! natural end, and only their first words tell. This is no reader: it follows no structure, so it
//! serves all dialects, documents and streams alike, and finds strings that are named like text. It
//! is meant for answers that are held in memory and were read by a [`Reader`](crate::Reader) before.

/// Members that hold text that is meant to be seen, in documents and in the events of streams.
const TEXT: [&[u8]; 5] = [b"content", b"text", b"delta", b"outputText", b"generation"];

/// The longest name that matters, and one more.
const NAME: usize = 11;

/// Collects the first words of an answer from its bytes.
///
/// ```
/// use battlement_core::Opening;
///
/// let mut opening = Opening::new(64);
/// opening.feed(br#"data: {"choices":[{"delta":{"role":"assistant","content":"I\u2019m "}}]}"#);
/// opening.feed(b"\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"sorry\"}}]}\n\n");
/// assert_eq!(opening.text(), "I\u{2019}m sorry");
/// ```
#[derive(Debug)]
pub struct Opening {
    most: usize,
    text: Vec<u8>,
    place: Place,
    /// The last string that ended, if it is short enough to be a name that matters.
    name: Vec<u8>,
    /// Half of a character outside the first plane.
    surrogate: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outside,
    /// Behind a string: it is a name if a colon follows.
    Behind,
    /// Behind a colon: the value may be the text.
    Value,
    Inside(Kind),
    /// Behind a backslash.
    Escape(Kind),
    /// So many digits of an escape are missing, and this is what the others say.
    Unicode(Kind, u8, u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Other,
}

impl Opening {
    /// Keeps so many bytes of text.
    pub fn new(most: usize) -> Self {
        let (text, name) = (Vec::new(), Vec::with_capacity(NAME));
        Self { most, text, place: Place::Outside, name, surrogate: None }
    }

    /// Looks at the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.is_full() {
                return;
            }
            self.place = self.step(byte);
        }
    }

    /// Whether there is as much as was asked for.
    pub fn is_full(&self) -> bool {
        self.text.len() >= self.most
    }

    /// The text so far.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    fn step(&mut self, byte: u8) -> Place {
        match self.place {
            // No string has one of these inside, so whatever began was none.
            Place::Inside(_) | Place::Escape(_) | Place::Unicode(..) if byte < b' ' => {
                Place::Outside
            }
            Place::Inside(kind) => match byte {
                b'"' if kind == Kind::Text => Place::Outside,
                b'"' => Place::Behind,
                b'\\' => Place::Escape(kind),
                byte => {
                    self.push(kind, byte);
                    Place::Inside(kind)
                }
            },
            Place::Escape(kind) => match byte {
                b'u' => Place::Unicode(kind, 4, 0),
                b'b' | b'f' | b'n' | b'r' | b't' => {
                    self.push(kind, b' ');
                    Place::Inside(kind)
                }
                byte => {
                    self.push(kind, byte);
                    Place::Inside(kind)
                }
            },
            Place::Unicode(kind, missing, so_far) => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default() as u16;
                let unit = so_far << 4 | digit;
                if missing > 1 {
                    return Place::Unicode(kind, missing - 1, unit);
                }
                self.push_unit(kind, unit);
                Place::Inside(kind)
            }
            Place::Value if byte == b'"' => Place::Inside(Kind::Text),
            Place::Behind if byte == b':' => {
                if TEXT.contains(&&self.name[..]) {
                    Place::Value
                } else {
                    Place::Outside
                }
            }
            Place::Behind | Place::Value if byte.is_ascii_whitespace() => self.place,
            _ if byte == b'"' => {
                self.name.clear();
                Place::Inside(Kind::Other)
            }
            _ => Place::Outside,
        }
    }

    fn push(&mut self, kind: Kind, byte: u8) {
        match kind {
            Kind::Text => self.text.push(byte),
            Kind::Other if self.name.len() < NAME => self.name.push(byte),
            Kind::Other => {}
        }
    }

    fn push_unit(&mut self, kind: Kind, unit: u16) {
        let units = self.surrogate.take().into_iter().chain([unit]);
        match char::decode_utf16(units).next() {
            Some(Ok(character)) => {
                let mut buffer = [0; 4];
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    self.push(kind, byte);
                }
            }
            // The first half of a pair waits for the second.
            Some(Err(_)) => self.surrogate = (0xD800..0xDC00).contains(&unit).then_some(unit),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        for slice in [1, 2, 7, body.len().max(1)] {
            let mut opening = Opening::new(1000);
            for piece in body.as_bytes().chunks(slice) {
                opening.feed(piece);
            }
            assert_eq!(opening.text(), expected, "{body} by {slice}");
        }
    }

    #[test]
    fn text_is_found_in_documents_and_events() {
        check(r#"{"choices":[{"message":{"role":"assistant","content":"No."}}]}"#, "No.");
        check(r#"{"content":[{"type":"text","text":"No."}]}"#, "No.");
        check(r#"{"candidates": [{"content": {"parts": [{"text" : "No."}]}}]}"#, "No.");
        check(
            "data: {\"type\":\"x\",\"delta\":\"I \"}\n\ndata: {\"delta\":\"can't\"}\n\n",
            "I can't",
        );
        check("{\"message\":{\"content\":\"I \"}}\n{\"message\":{\"content\":\"can\"}}\n", "I can");
    }

    #[test]
    fn what_is_no_text_is_not_taken_for_it() {
        check(r#"{"role":"content","type":"text","index":0,"thinking":"text"}"#, "");
        check(r#"{"arguments":"{\"text\":\"quoted\"}","content":null,"x":"y"}"#, "");
        check(": a comment with one \" in it\ndata: {\"text\":\"a\"}\n", "a");
        check("", "");
    }

    #[test]
    fn escapes_are_undone() {
        check(
            r#"{"text":"a\"b\\c\nd\u2019e\ud83d\ude00f\ud83dg"}"#,
            "a\"b\\c d\u{2019}e\u{1f600}fg",
        );
    }

    #[test]
    fn no_more_is_kept_than_asked_for() {
        let mut opening = Opening::new(3);
        opening.feed(br#"{"text":"abcdef"}"#);
        assert!(opening.is_full());
        assert_eq!(opening.text(), "abc");
    }
}
