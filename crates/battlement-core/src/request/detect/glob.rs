//! Patterns for hosts, paths and names, taken apart before the program runs.
//!
//! Every request is held against dozens of them, and nearly all fail. So a pattern knows which
//! bytes a text must have to match, and a text which it has: comparing the two sets tells most of
//! them apart, and only what is left is compared byte by byte.

use memchr::memchr_iter;

/// A pattern in which `*` stands for any text, also none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glob {
    /// All of a pattern without a `*`.
    start: &'static [u8],
    /// From the first `*` to the last, both included.
    middle: &'static [u8],
    end: &'static [u8],
    needs: u64,
}

/// What patterns are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    text: &'a str,
    has: u64,
}

impl<'a> Subject<'a> {
    #[inline]
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, has: text.bytes().fold(0, |set, byte| set | bit(byte)) }
    }

    pub(super) const fn as_str(self) -> &'a str {
        self.text
    }
}

/// The place of a byte in a set. Bytes may share one: then a set is too large, never too small.
const fn bit(byte: u8) -> u64 {
    1 << (byte % 64)
}

impl Glob {
    pub(super) const fn new(pattern: &'static str) -> Self {
        let bytes = pattern.as_bytes();
        let (mut first, mut behind, mut needs) = (bytes.len(), bytes.len(), 0);
        let mut at = bytes.len();
        while at > 0 {
            at -= 1;
            if bytes[at] != b'*' {
                needs |= bit(bytes[at]);
                continue;
            }
            if first == bytes.len() {
                behind = at + 1;
            }
            first = at;
        }
        let (start, rest) = bytes.split_at(first);
        let (middle, end) = rest.split_at(behind - first);
        Self { start, middle, end, needs }
    }

    /// Takes apart the patterns of a table of `N` rows.
    pub(super) const fn table<T: Copy, const N: usize>(
        rows: &[(&'static str, T)],
    ) -> [(Self, T); N] {
        let mut table = [(Self::new(rows[0].0), rows[0].1); N];
        let mut at = 1;
        while at < N {
            table[at] = (Self::new(rows[at].0), rows[at].1);
            at += 1;
        }
        table
    }

    /// Whether the pattern describes a text.
    #[inline]
    pub(super) fn matches(&self, subject: Subject<'_>) -> bool {
        self.needs & !subject.has == 0 && self.describes(subject.text.as_bytes())
    }

    fn describes(&self, text: &[u8]) -> bool {
        if self.middle.is_empty() {
            return text == self.start;
        }
        let Some(rest) = text.strip_prefix(self.start) else { return false };
        let Some(mut rest) = rest.strip_suffix(self.end) else { return false };
        self.middle.split(|&byte| byte == b'*').all(|piece| match find(rest, piece) {
            // The leftmost place will do: what follows can only match more.
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }
}

/// The leftmost place of `piece` in `text`. Made for short ones: nothing has to be prepared.
pub(in crate::request) fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    let Some(&first) = piece.first() else { return Some(0) };
    memchr_iter(first, text).find(|&at| text[at..].starts_with(piece))
}
