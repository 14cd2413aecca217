//! Reading JSON that arrives in pieces, without keeping any of it.
//!
//! The reader follows a [`Shape`] through the document and reports the values on it. It can stop at
//! any byte and go on with the next slice: what it remembers is its place in the shape and the token
//! a slice border cut in two, never the document. Strings and containers nobody asked for are
//! skipped at memory speed and checked for balance only; the rest is checked for grammar.
//!
//! There are two ways through the text. The steps in this file take it token by token and stop
//! anywhere; [`run`] takes what stands whole in the slice in one go, and gives up where a step is
//! needed. A slice of one byte can only be stepped through, so that every test of splits compares the two.

mod run;
mod scalar;

use super::{
    block::{Skip, StringEnd, passed_end, string_end},
    shape::{Node, Shape},
    template::Hole,
    text,
};
use crate::dialect::Field;
use scalar::{ends_scalar, scalar};

/// A value on the shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// A string that is kept, unescaped, up to [`KEPT`] bytes, as it came: it may not be UTF-8.
    Text(&'a [u8]),
    /// A string that is only passed: whether anything was in it.
    Passed {
        empty: bool,
    },
    /// A number as it was written.
    Number(&'a [u8]),
    Bool(bool),
    Null,
}

/// Takes what the reader finds.
pub(crate) trait Sink {
    /// A scalar stands in this place.
    fn value(&mut self, field: Field, value: Value<'_>);
    /// An object begins, or an array when `list` is set.
    fn open(&mut self, field: Field, list: bool);
    /// The container ends.
    fn close(&mut self, field: Field);
    /// A piece of a string whose field is streamed, as it stands in the document; its
    /// [`Value::Passed`] follows at the end.
    fn piece(&mut self, field: Field, raw: &[u8]);
    /// A whole document has been read.
    fn document(&mut self);
    /// Between these positions of the slice stands a value of which nothing more is reported.
    fn hole(&mut self, hole: Hole, start: usize, end: usize);
}

/// How much of a string is kept. Reasons, codes and messages are far shorter; what is longer is cut.
pub(crate) const KEPT: usize = 4096;

/// Longer than any number, and short enough to be kept whole when it arrives in pieces.
const LONGEST_SCALAR: usize = KEPT / 4;

/// How deep a shape may reach.
pub(super) const DEPTH: usize = 10;

/// The state of a reader between two slices.
#[derive(Debug)]
pub(crate) struct Reader {
    root: &'static Node,
    state: State,
    /// What the value that is expected or being read means.
    node: &'static Node,
    frames: [Frame; DEPTH],
    depth: usize,
    skip: Skip,
    /// A key, number or kept string that a slice border cut in two.
    partial: Vec<u8>,
    /// A string being read holds a backslash.
    escaped: bool,
    /// The next byte of a string is escaped.
    escape: bool,
    /// A string that is passed held something in an earlier slice.
    filled: bool,
    /// Several documents follow each other (NDJSON).
    many: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    node: &'static Node,
    list: bool,
}

impl Frame {
    /// The members to look for; a list has none.
    #[inline]
    fn shape(self) -> Option<&'static Shape> {
        if self.list { None } else { self.node.object }
    }

    /// What the elements of a list are.
    #[inline]
    fn each(self) -> &'static Node {
        self.node.each.unwrap_or(&NOTHING)
    }
}

/// A value that means nothing.
static NOTHING: Node = Node::leaf(Field::None);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a value.
    Value,
    /// Behind `[`.
    ValueOrEnd,
    /// Behind `{`.
    KeyOrEnd,
    /// Behind a comma in an object.
    Key,
    /// Behind a key.
    Colon,
    /// Behind a value in a container.
    After,
    /// Inside a key, a string or a number that began in an earlier slice.
    InKey,
    InText,
    InScalar,
    /// Inside a container that is skipped.
    Skipping,
    /// Behind a whole document.
    Done,
    /// The text is not JSON.
    Broken,
}

impl Reader {
    pub(crate) fn new(root: &'static Node, many: bool) -> Self {
        let empty = Frame { node: &NOTHING, list: false };
        Self {
            root,
            state: State::Value,
            node: root,
            frames: [empty; DEPTH],
            depth: 0,
            skip: Skip::default(),
            partial: Vec::new(),
            escaped: false,
            escape: false,
            filled: false,
            many,
        }
    }

    /// Starts a new document.
    #[inline]
    pub(crate) fn restart(&mut self) {
        self.state = State::Value;
        self.node = self.root;
        self.depth = 0;
        self.partial.clear();
    }

    /// Whether a whole document has been read, and nothing but blanks since.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the text is not JSON.
    pub(crate) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Whether documents may follow each other.
    pub(crate) fn is_many(&self) -> bool {
        self.many
    }

    /// Whether a document has begun and is not whole.
    pub(crate) fn is_inside(&self) -> bool {
        self.depth > 0 || !matches!(self.state, State::Value | State::Done)
    }

    /// Reads on.
    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut at = 0;
        while at < bytes.len() {
            at = match self.state {
                State::KeyOrEnd | State::Key => match self.run(bytes, at, sink) {
                    // Not a byte further: one step then, which gets along with anything.
                    end if end == at => self.key(bytes, at, sink),
                    end => end,
                },
                State::Colon => match bytes[at] {
                    b':' => {
                        self.state = State::Value;
                        at + 1
                    }
                    byte => self.blank(byte, at),
                },
                State::Value | State::ValueOrEnd => self.value(bytes, at, sink),
                State::After => self.after(bytes, at, sink),
                State::InKey => self.rest_of_key(bytes),
                State::InText => self.rest_of_text(bytes, sink),
                State::InScalar => self.rest_of_scalar(bytes, sink),
                State::Skipping => match self.skip.run(bytes, at) {
                    Some(end) => {
                        self.end_of_value(sink);
                        end
                    }
                    None => return,
                },
                State::Done => {
                    let byte = bytes[at];
                    if self.many && !is_blank(byte) {
                        self.restart();
                        at
                    } else {
                        self.blank(byte, at)
                    }
                }
                State::Broken => return,
            };
        }
    }

    /// Ends the input: a number at the top has no other end.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) {
        if self.state == State::InScalar && self.depth == 0 {
            self.rest_of_scalar(b" ", sink);
        }
    }

    /// Steps over a blank; anything else does not belong here.
    #[inline]
    fn blank(&mut self, byte: u8, at: usize) -> usize {
        if !is_blank(byte) {
            self.state = State::Broken;
        }
        at + 1
    }

    #[inline]
    fn key(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        match bytes[at] {
            b'"' => {}
            b'}' if self.state == State::KeyOrEnd => {
                self.close(sink);
                return at + 1;
            }
            byte => return self.blank(byte, at),
        }
        let start = at + 1;
        self.escaped = false;
        match string_end(bytes, start, &mut self.escaped) {
            StringEnd::At(end) => {
                self.found_key(&bytes[start..end]);
                if bytes.get(end + 1) == Some(&b':') {
                    self.state = State::Value;
                    return end + 2;
                }
                self.state = State::Colon;
                end + 1
            }
            StringEnd::Beyond { escape } => {
                self.escape = escape;
                self.partial.clear();
                self.keep(&bytes[start..]);
                self.state = State::InKey;
                bytes.len()
            }
        }
    }

    #[inline]
    fn found_key(&mut self, key: &[u8]) {
        let Some(shape) = self.frames[self.depth - 1].shape() else {
            self.node = &NOTHING;
            return;
        };
        let node = if self.escaped {
            let mut plain = [0; 64];
            text::unescape_short(key, &mut plain).and_then(|key| shape.find(key))
        } else {
            shape.find(key)
        };
        self.node = node.unwrap_or(&NOTHING);
    }

    #[inline]
    fn value(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let start = at + 1;
        match bytes[at] {
            b'"' => self.text(bytes, start, sink),
            b'{' => self.open(self.node.object.is_some(), false, start, sink),
            b'[' => self.open(self.node.each.is_some(), true, start, sink),
            b']' if self.state == State::ValueOrEnd => {
                self.close(sink);
                start
            }
            byte if is_blank(byte) => start,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                match bytes[at..].iter().position(|byte| ends_scalar(*byte)) {
                    Some(len) => {
                        self.found_scalar(&bytes[at..at + len], sink);
                        at + len
                    }
                    None => {
                        self.partial.clear();
                        self.keep(&bytes[at..]);
                        self.state = State::InScalar;
                        bytes.len()
                    }
                }
            }
            _ => {
                self.state = State::Broken;
                start
            }
        }
    }

    #[inline]
    fn text(&mut self, bytes: &[u8], start: usize, sink: &mut impl Sink) -> usize {
        self.escaped = false;
        match self.end_of_string(bytes, start) {
            StringEnd::At(end) => {
                if self.node.field.is_streamed() {
                    sink.piece(self.node.field, &bytes[start..end]);
                }
                self.found_text(&bytes[start..end], sink);
                end + 1
            }
            StringEnd::Beyond { escape } => {
                self.escape = escape;
                self.filled = false;
                self.partial.clear();
                self.part_of_text(&bytes[start..], sink);
                self.state = State::InText;
                bytes.len()
            }
        }
    }

    /// The end of the string value that `from` lies in.
    #[inline]
    fn end_of_string(&mut self, bytes: &[u8], from: usize) -> StringEnd {
        if self.node.field.is_kept() {
            string_end(bytes, from, &mut self.escaped)
        } else {
            passed_end(bytes, from)
        }
    }

    #[inline]
    fn after(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let in_object = !self.frames[self.depth - 1].list;
        match bytes[at] {
            b',' if in_object => {
                self.state = State::Key;
                if bytes.get(at + 1) == Some(&b'"') {
                    self.key(bytes, at + 1, sink)
                } else {
                    at + 1
                }
            }
            b',' => {
                self.state = State::Value;
                self.node = self.frames[self.depth - 1].each();
                at + 1
            }
            b'}' if in_object => {
                self.close(sink);
                at + 1
            }
            b']' if !in_object => {
                self.close(sink);
                at + 1
            }
            byte => self.blank(byte, at),
        }
    }

    fn open(&mut self, follow: bool, list: bool, start: usize, sink: &mut impl Sink) -> usize {
        if self.node.field != Field::None {
            sink.open(self.node.field, list);
        }
        if !follow || self.depth == DEPTH {
            self.skip = Skip::inside();
            self.state = State::Skipping;
            return start;
        }
        self.push(self.node, list);
        if list {
            self.node = self.frames[self.depth - 1].each();
            self.state = State::ValueOrEnd;
        } else {
            self.state = State::KeyOrEnd;
        }
        start
    }

    #[inline]
    fn push(&mut self, node: &'static Node, list: bool) {
        self.frames[self.depth] = Frame { node, list };
        self.depth += 1;
    }

    #[inline]
    fn close(&mut self, sink: &mut impl Sink) {
        self.depth -= 1;
        let field = self.frames[self.depth].node.field;
        if field != Field::None {
            sink.close(field);
        }
        self.behind_value(sink);
    }

    /// Behind a container that was skipped.
    fn end_of_value(&mut self, sink: &mut impl Sink) {
        if self.node.field != Field::None {
            sink.close(self.node.field);
        }
        self.behind_value(sink);
    }

    #[inline]
    fn behind_value(&mut self, sink: &mut impl Sink) {
        if self.depth == 0 {
            self.state = State::Done;
            sink.document();
        } else {
            self.state = State::After;
        }
    }

    #[inline]
    fn found_text(&mut self, raw: &[u8], sink: &mut impl Sink) {
        let field = self.node.field;
        if field.is_kept() {
            let kept = text::kept(raw, self.escaped);
            sink.value(field, Value::Text(&kept));
        } else if field != Field::None {
            sink.value(field, Value::Passed { empty: raw.is_empty() });
        }
        self.behind_value(sink);
    }

    #[inline]
    fn found_scalar(&mut self, token: &[u8], sink: &mut impl Sink) {
        let Some(value) = scalar(token) else {
            self.state = State::Broken;
            return;
        };
        if self.node.field != Field::None {
            sink.value(self.node.field, value);
        }
        self.behind_value(sink);
    }

    fn rest_of_key(&mut self, bytes: &[u8]) -> usize {
        let from = self.resume_string();
        let end = string_end(bytes, from, &mut self.escaped);
        let len = self.part_of_string(bytes, end);
        self.keep(&bytes[..len]);
        if len == bytes.len() {
            return len;
        }
        let key = std::mem::take(&mut self.partial);
        self.found_key(&key);
        self.partial = key;
        self.state = State::Colon;
        len + 1
    }

    fn rest_of_text(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let from = self.resume_string();
        let end = self.end_of_string(bytes, from);
        let len = self.part_of_string(bytes, end);
        self.part_of_text(&bytes[..len], sink);
        if len == bytes.len() {
            return len;
        }
        if self.node.field.is_kept() {
            let raw = std::mem::take(&mut self.partial);
            self.found_text(&raw, sink);
            self.partial = raw;
        } else {
            self.found_text(if self.filled { b"x" } else { b"" }, sink);
        }
        len + 1
    }

    fn part_of_text(&mut self, raw: &[u8], sink: &mut impl Sink) {
        self.filled |= !raw.is_empty();
        if self.node.field.is_kept() {
            self.keep(raw);
        } else if self.node.field.is_streamed() {
            sink.piece(self.node.field, raw);
        }
    }

    /// Where to look for the end of a string that began in an earlier slice.
    fn resume_string(&mut self) -> usize {
        self.escaped |= self.escape;
        usize::from(std::mem::take(&mut self.escape))
    }

    /// How much of the slice belongs to the string.
    fn part_of_string(&mut self, bytes: &[u8], end: StringEnd) -> usize {
        match end {
            StringEnd::At(end) => end,
            StringEnd::Beyond { escape } => {
                self.escape = escape;
                bytes.len()
            }
        }
    }

    fn rest_of_scalar(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let end = bytes.iter().position(|byte| ends_scalar(*byte));
        self.keep(&bytes[..end.unwrap_or(bytes.len())]);
        let Some(end) = end else { return bytes.len() };
        let token = std::mem::take(&mut self.partial);
        self.found_scalar(&token, sink);
        self.partial = token;
        end
    }

    /// Adds to the token that a slice border cut; what is over the cap is dropped, and a token that
    /// reaches it is longer than any name or number that could match.
    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[inline]
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}
