//! Recognising an event that differs from an earlier one only where it does not matter.
//!
//! The events of a stream are written by one loop of the server: the same keys in the same order,
//! with other words in one place. Once such an event has been read token by token, the next can be
//! compared with it byte by byte, except for the contents of values that are passed over anyway.
//! When everything else is equal the reader would find exactly what it found before, so there is no
//! need to let it look.
//!
//! One event is kept per stream, and only a short one.

use super::block::{Skip, StringEnd, passed_end};

/// The longest event that is kept.
const LONGEST: usize = 1024;
/// In what steps there is room for it.
const ROOM: usize = 64;
/// How many places may differ; further ones are compared like the rest.
const MOST_HOLES: usize = 16;

/// A value that is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// The contents of a string, up to its closing quote.
    Text,
    /// Digits.
    Digits,
    /// The contents of a container, with its closing bracket.
    Container,
}

/// An event and the places in which another may differ from it.
#[derive(Debug, Default)]
pub(crate) struct Template {
    event: Vec<u8>,
    holes: Vec<(Hole, u16, u16)>,
    /// The holes of the event being read.
    found: Vec<(Hole, u16, u16)>,
}

impl Template {
    /// Notes a hole of the event being read.
    #[inline]
    pub(crate) fn hole(&mut self, hole: Hole, start: usize, end: usize) {
        if let (Ok(start), Ok(end)) = (u16::try_from(start), u16::try_from(end)) {
            if self.found.len() < MOST_HOLES {
                self.found.push((hole, start, end));
            }
        }
    }

    /// Forgets the holes of the event being read.
    pub(crate) fn begin(&mut self) {
        self.found.clear();
        self.found.reserve(MOST_HOLES);
    }

    /// Whether the event is short enough to be kept.
    pub(crate) const fn can_keep(event: &[u8]) -> bool {
        event.len() <= LONGEST
    }

    /// Keeps the event that has just been read.
    pub(crate) fn keep(&mut self, event: &[u8]) {
        self.event.clear();
        // With a little more than it takes, since the next one to be kept is often longer by a digit.
        if self.event.capacity() < event.len() {
            self.event.reserve_exact(event.len().next_multiple_of(ROOM));
        }
        self.event.extend_from_slice(event);
        std::mem::swap(&mut self.holes, &mut self.found);
    }

    /// Whether reading this event would find what reading the kept one found.
    #[inline]
    pub(crate) fn matches(&self, event: &[u8]) -> bool {
        let (mut at, mut kept_at) = (0, 0);
        for &(hole, start, end) in &self.holes {
            let same = &self.event[kept_at..usize::from(start)];
            if !event[at..].starts_with(same) {
                return false;
            }
            at += same.len();
            kept_at = usize::from(end);
            let Some(len) = length(hole, &event[at..]) else { return false };
            // Whether there is any content does matter.
            if hole == Hole::Text && (len == 0) != (start == end) {
                return false;
            }
            at += len;
        }
        !self.event.is_empty() && event[at..] == self.event[kept_at..]
    }
}

/// How far the contents of a hole reach.
#[inline]
fn length(hole: Hole, bytes: &[u8]) -> Option<usize> {
    match hole {
        Hole::Text => match passed_end(bytes, 0) {
            StringEnd::At(end) => Some(end),
            StringEnd::Beyond { .. } => None,
        },
        Hole::Digits => {
            let len = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            // Not a number with a zero in front, which is none.
            let number = len == 1 || bytes.first() != Some(&b'0');
            ((1..20).contains(&len) && number).then_some(len)
        }
        Hole::Container => Skip::inside().run(bytes, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(` and `)` enclose a text hole, `<` and `>` digits; the marks are taken out.
    fn template(marked: &str) -> Template {
        let mut template = Template::default();
        let mut event = String::new();
        let mut start = 0;
        for mark in marked.chars() {
            match mark {
                '(' | '<' => start = event.len(),
                ')' => template.hole(Hole::Text, start, event.len()),
                '>' => template.hole(Hole::Digits, start, event.len()),
                other => event.push(other),
            }
        }
        template.keep(event.as_bytes());
        template
    }

    #[track_caller]
    fn check(marked: &str, event: &str, expected: bool) {
        assert_eq!(template(marked).matches(event.as_bytes()), expected, "{event}");
    }

    #[test]
    fn differences_count_outside_of_holes_only() {
        let marked = r#"{"a":"(x)","n":<12>,"stop":null}"#;
        check(marked, r#"{"a":"x","n":12,"stop":null}"#, true);
        check(marked, r#"{"a":"quite \"different\"","n":7,"stop":null}"#, true);
        check(marked, r#"{"a":"x","n":12,"stop":"s"}"#, false);
        check(marked, r#"{"b":"x","n":12,"stop":null}"#, false);
        check(marked, r#"{"a":"x","n":12,"stop":null}}"#, false);
        check(marked, r#"{"a":"x","n":12,"stop":null"#, false);
        check(marked, "", false);
    }

    #[test]
    fn a_hole_does_not_change_its_kind() {
        let marked = r#"{"a":"(x)","n":<12>}"#;
        check(marked, r#"{"a":"","n":12}"#, false);
        check(marked, r#"{"a":"x","n":1.5}"#, false);
        check(marked, r#"{"a":"x","n":-1}"#, false);
        check(marked, r#"{"a":"x","n":}"#, false);
        check(marked, r#"{"a":"x","n":0}"#, true);
        check(marked, r#"{"a":"x","n":012}"#, false);
        check(marked, r#"{"a":"x","n":"#, false);
        check(marked, r#"{"a":"x","n":123456789012345678901234}"#, false);
        check(r#"{"a":"()"}"#, r#"{"a":"x"}"#, false);
        check(r#"{"a":"()"}"#, r#"{"a":""}"#, true);
    }

    #[test]
    fn a_text_cannot_end_its_hole_early() {
        let marked = r#"{"a":"(x)","stop":null}"#;
        // The decoy's quotes are escaped, so they are still text.
        check(marked, r#"{"a":"\",\"stop\":\"s","stop":null}"#, true);
        check(marked, r#"{"a":"y","stop":"s","stop":null}"#, false);
    }

    #[test]
    fn an_empty_template_matches_nothing() {
        assert!(!Template::default().matches(b""));
        assert!(!Template::default().matches(b"{}"));
        assert!(!Template::can_keep(&[b' '; LONGEST + 1]));
    }
}
