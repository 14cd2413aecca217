//! The short way: what stands whole in the slice, in one go.

use super::{
    super::block::{Skip, StringEnd, passed_end, string_end},
    DEPTH, Field, Hole, LONGEST_SCALAR, NOTHING, Node, Reader, Sink, State, Value,
    scalar::{ends_scalar, is_number, is_of_number},
    text,
};

/// How to go on behind a value.
enum Next {
    /// At the quote of a key.
    Member(usize),
    /// At the brace of an element.
    Element(usize),
    /// Give up here; the state says where this is.
    Stop(usize),
}

impl Reader {
    /// Reads on from the quote of a key for as long as every token stands whole in the slice and
    /// no blank is between them, and leaves the state for the steps to go on.
    ///
    /// Where it cannot read a member it returns the position of that member's key, with nothing
    /// reported of it.
    #[inline]
    pub(super) fn run(&mut self, bytes: &[u8], mut at: usize, sink: &mut impl Sink) -> usize {
        if bytes[at] != b'"' {
            return at;
        }
        // At a quote it makes no difference whether `{` or a comma is before it.
        self.state = State::Key;
        loop {
            let Some(mut next) = self.run_member(bytes, at, sink) else {
                self.state = State::Key;
                return at;
            };
            loop {
                match next {
                    Next::Member(key) => {
                        at = key;
                        break;
                    }
                    Next::Element(brace) => {
                        let each = self.frames[self.depth - 1].each();
                        next = self.run_open(bytes, brace, b'{', each, sink);
                    }
                    Next::Stop(end) => return end,
                }
            }
        }
    }

    /// A member from the quote of its key; `None` when it does not stand whole in the slice.
    #[inline]
    fn run_member(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> Option<Next> {
        let shape = self.frames[self.depth - 1].shape()?;
        let mut escaped = false;
        let StringEnd::At(end) = string_end(bytes, at + 1, &mut escaped) else { return None };
        let [b':', first, ..] = bytes[end + 1..] else { return None };
        if escaped {
            return None;
        }
        let node = shape.find(&bytes[at + 1..end]).unwrap_or(&NOTHING);
        self.run_value(bytes, end + 2, first, node, sink)
    }

    /// A value that begins with `first`; `None` when it does not stand whole in the slice.
    #[inline]
    fn run_value(
        &mut self,
        bytes: &[u8],
        at: usize,
        first: u8,
        node: &'static Node,
        sink: &mut impl Sink,
    ) -> Option<Next> {
        let field = node.field;
        let plain = if first.is_ascii_digit() { whole_number(&bytes[at..]) } else { None };
        let end = match first {
            b'"' if field.is_kept() => {
                let mut escaped = false;
                let StringEnd::At(end) = string_end(bytes, at + 1, &mut escaped) else {
                    return None;
                };
                let kept = text::kept(&bytes[at + 1..end], escaped);
                sink.value(field, Value::Text(&kept));
                end + 1
            }
            b'"' => {
                let StringEnd::At(end) = passed_end(bytes, at + 1) else { return None };
                if field.is_streamed() {
                    sink.piece(field, &bytes[at + 1..end]);
                } else {
                    sink.hole(Hole::Text, at + 1, end);
                }
                if field != Field::None {
                    sink.value(field, Value::Passed { empty: end == at + 1 });
                }
                end + 1
            }
            b'{' | b'[' => return Some(self.run_open(bytes, at, first, node, sink)),
            b'0'..=b'9' if plain.is_some_and(|len| len == 1 || first != b'0') => {
                let len = plain?;
                if field == Field::None {
                    sink.hole(Hole::Digits, at, at + len);
                } else {
                    sink.value(field, Value::Number(&bytes[at..at + len]));
                }
                at + len
            }
            b'-' | b'0'..=b'9' => {
                let rest = &bytes[at..];
                let len = rest.iter().position(|byte| !is_of_number(*byte))?;
                if len > LONGEST_SCALAR || !ends_scalar(rest[len]) || !is_number(&rest[..len]) {
                    return None;
                }
                if field != Field::None {
                    sink.value(field, Value::Number(&rest[..len]));
                } else if rest[..len].iter().all(u8::is_ascii_digit) {
                    sink.hole(Hole::Digits, at, at + len);
                }
                at + len
            }
            _ => {
                let (word, value): (&[u8], _) = match first {
                    b'n' => (b"null", Value::Null),
                    b't' => (b"true", Value::Bool(true)),
                    b'f' => (b"false", Value::Bool(false)),
                    _ => return None,
                };
                let end = at + word.len();
                if !bytes[at..].starts_with(word)
                    || !bytes.get(end).copied().is_some_and(ends_scalar)
                {
                    return None;
                }
                if field != Field::None {
                    sink.value(field, value);
                }
                end
            }
        };
        Some(self.run_behind(bytes, end, sink))
    }

    /// A container; one that is not on the shape is skipped.
    #[inline]
    fn run_open(
        &mut self,
        bytes: &[u8],
        at: usize,
        bracket: u8,
        node: &'static Node,
        sink: &mut impl Sink,
    ) -> Next {
        let list = bracket == b'[';
        if node.field != Field::None {
            sink.open(node.field, list);
        }
        let follow = if list { node.each.is_some() } else { node.object.is_some() };
        if !follow || self.depth == DEPTH {
            self.node = node;
            self.skip = Skip::inside();
            let Some(end) = self.skip.run(bytes, at + 1) else {
                self.state = State::Skipping;
                return Next::Stop(bytes.len());
            };
            sink.hole(Hole::Container, at + 1, end);
            if node.field != Field::None {
                sink.close(node.field);
            }
            return self.run_behind(bytes, end, sink);
        }
        self.push(node, list);
        match bytes.get(at + 1) {
            Some(b'"') if !list => Next::Member(at + 1),
            Some(b'{') if list => Next::Element(at + 1),
            Some(b'}') if !list => self.run_close(bytes, at + 2, sink),
            Some(b']') if list => self.run_close(bytes, at + 2, sink),
            _ => {
                self.state = if list { State::ValueOrEnd } else { State::KeyOrEnd };
                self.node = self.frames[self.depth - 1].each();
                Next::Stop(at + 1)
            }
        }
    }

    /// The end of a container, behind its bracket.
    #[inline]
    fn run_close(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> Next {
        self.close(sink);
        if self.depth == 0 { Next::Stop(at) } else { self.run_behind(bytes, at, sink) }
    }

    /// Behind a value in a container.
    #[inline]
    fn run_behind(&mut self, bytes: &[u8], mut at: usize, sink: &mut impl Sink) -> Next {
        loop {
            let list = self.frames[self.depth - 1].list;
            match bytes[at..] {
                [b',', b'"', ..] if !list => return Next::Member(at + 1),
                [b',', b'{', ..] if list => return Next::Element(at + 1),
                [b'}', ..] if !list => self.close(sink),
                [b']', ..] if list => self.close(sink),
                _ => {
                    self.state = State::After;
                    return Next::Stop(at);
                }
            }
            at += 1;
            if self.depth == 0 {
                return Next::Stop(at);
            }
        }
    }
}

/// The length of a plain number and of nothing else, up to twenty digits: what nearly all are.
#[inline]
fn whole_number(bytes: &[u8]) -> Option<usize> {
    let len = bytes.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    bytes.get(len).copied().is_some_and(ends_scalar).then_some(len)
}
