//! Plain ASCII and its escapes, up to forty-eight characters at a time.
//!
//! Nearly every prompt is mostly letters, spaces, lines and punctuation. For each class of those, a
//! `u64` has a bit for each character; then "the first letter of a word" or "the second mark in a
//! row" is a shift and a mask, and a price is paid by counting bits. The lowest sixteen bits are the
//! characters in front, which is further than any price looks back.
//!
//! The prices are those of [`price`](super::price), and a test holds both against each other.

use super::Class;

/// Bytes that are looked at together.
const WORD: usize = 8;
/// As many of them as have room behind [`BEHIND`].
const WORDS: usize = 6;
/// The characters in front.
const BEHIND: u32 = 16;

const ONES: u64 = u64::from_le_bytes([1; WORD]);
const HIGH: u64 = 0x80 * ONES;

/// For each class, which characters belong to it; the first is the lowest bit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    lower: u64,
    upper: u64,
    digit: u64,
    space: u64,
    newline: u64,
    punctuation: u64,
    /// Digits that begin a group of three.
    heads: u64,
    /// How many characters there are, with those in front.
    len: u32,
}

impl Stretch {
    /// Nothing but what is in front: `run` characters of `class`.
    pub(super) fn behind(class: Class, run: u32) -> Self {
        let mut stretch = Self { len: BEHIND, ..Self::default() };
        // The last `run` of sixteen.
        let ones = 0xFFFF & !(0xFFFF >> run.min(BEHIND));
        match class {
            // Letters with marks join those without.
            Class::Lower | Class::Latin => stretch.lower = ones,
            Class::Upper => stretch.upper = ones,
            Class::Space => stretch.space = ones,
            Class::Newline => stretch.newline = ones,
            Class::Punctuation => stretch.punctuation = ones,
            Class::Digit => {
                stretch.digit = ones;
                // The last digit is number `run`; a group begins with numbers 1, 4, 7.
                stretch.heads = (0x8000 >> ((run % 3 + 2) % 3)) & ones;
            }
            _ => {}
        }
        stretch
    }

    /// Takes in characters until one is not plain, or there is no room; says how many bytes.
    ///
    /// `JSON` is whether a backslash begins an escape. The usual ones are plain.
    pub(super) fn fill<const JSON: bool>(&mut self, bytes: &[u8]) -> usize {
        if let Some(words) = plain_words::<WORDS, JSON>(bytes) {
            self.take(words, WORDS * WORD);
            return WORDS * WORD;
        }
        let mut at = 0;
        while !self.is_full() {
            let rest = &bytes[at..];
            let word = first_word(rest);
            let plain = (odd::<JSON>(word).trailing_zeros() / u8::BITS) as usize;
            self.take([word], plain);
            at += plain;
            if plain == WORD {
                continue;
            }
            let (set, length) = match (rest.get(plain), rest.get(plain + 1)) {
                (Some(b'\\'), Some(b'n' | b'r')) if JSON => (&mut self.newline, 2),
                (Some(b'\\'), Some(b'"' | b'\\' | b'/')) if JSON => (&mut self.punctuation, 2),
                (Some(b'\\'), Some(b't')) if JSON => (&mut self.space, 2),
                (Some(b'\n' | b'\r'), _) => (&mut self.newline, 1),
                (Some(b'\t'), _) => (&mut self.space, 1),
                _ => break,
            };
            *set |= 1 << self.len;
            self.len += 1;
            at += length;
        }
        at
    }

    /// Whether there is no room for a word and one more.
    pub(super) const fn is_full(&self) -> bool {
        self.len + 9 > u64::BITS
    }

    /// Adds the first `count` characters of some words, which are plain.
    #[inline]
    fn take<const N: usize>(&mut self, words: [u64; N], count: usize) {
        let (mut lower, mut upper, mut digit, mut space) = (0, 0, 0, 0);
        for (at, word) in words.into_iter().enumerate() {
            let folded = word | (0x20 * ONES);
            let letter = at_least(folded, b'a') & !at_least(folded, b'z' + 1);
            // What tells capitals apart, moved to the highest bit.
            let small = word << 2;
            let place = at * WORD;
            lower |= gather(letter & small) << place;
            upper |= gather(letter & !small) << place;
            digit |= gather(at_least(word, b'0') & !at_least(word, b'9' + 1)) << place;
            space |= gather(!at_least(word, b' ' + 1)) << place;
        }
        let all = (1 << count) - 1;
        self.lower |= (lower & all) << self.len;
        self.upper |= (upper & all) << self.len;
        self.digit |= (digit & all) << self.len;
        self.space |= (space & all) << self.len;
        self.punctuation |= (all & !(lower | upper | digit | space)) << self.len;
        self.len += count as u32;
    }

    /// The price of all characters but those in front, in thousandths of a token.
    pub(super) fn price(&mut self) -> u64 {
        let Self { lower, upper, digit, space, punctuation, .. } = *self;
        let count = |set: u64| u64::from((set >> BEHIND).count_ones());

        // A run of letters may begin with one capital.
        let capital = upper & !(upper << 1);
        let word = lower | capital;
        let begins = lower & !(word << 1);
        let softened = begins & (punctuation << 1);
        let two = lower & (lower << 1);
        let four = two & (two << 2);
        let six = four & (two << 4);
        let joined = lower & (word << 1);
        let seventh = six & (word << 6);
        let tenth = six & (four << 5) & (word << 9);
        let mark = punctuation & !(punctuation << 1);

        let mut price = 1_000 * count(begins | capital)
            + 10 * count(joined)
            + 30 * count(seventh)
            + 130 * count(tenth)
            + 850 * count(mark);

        let more_upper = upper & (upper << 1);
        let more_space = space & (space << 1);
        let more_marks = punctuation & (punctuation << 1);
        if (softened | more_upper | more_space | more_marks) >> BEHIND != 0 {
            let wide = more_space & (space << 2);
            let rule = more_marks & (more_marks << 2);
            price -= 200 * count(softened);
            price += 300 * count(more_upper)
                + 900 * count(more_space & !wide)
                + 20 * count(wide)
                + 150 * count(more_marks & !rule)
                + 300 * count(rule);
        }
        let newline = self.newline;
        if newline >> BEHIND != 0 {
            let first = newline & !(newline << 1);
            price += 50 * count(newline & (newline << 1))
                + 200 * count(first & (punctuation << 1))
                + 900 * count(first & !(punctuation << 1));
        }
        if digit >> BEHIND != 0 {
            let first = digit & !(digit << 1);
            let group = digit & (digit << 1) & (digit << 2);
            let mut heads = self.heads | (first & !0xFFFF);
            // Each round finds the next group of every number.
            loop {
                let more = heads | (((heads << 3) & group) & !0xFFFF);
                if more == heads {
                    break;
                }
                heads = more;
            }
            self.heads = heads;
            let spaced = first & (space << 1);
            price += 1_000 * count(heads) + 900 * count(spaced);
        }
        price
    }

    /// Leaves only the last characters, as those in front of what comes next.
    pub(super) fn pass(&mut self) {
        let passed = self.len - BEHIND;
        let last = |set: u64| (set >> passed) & 0xFFFF;
        *self = Self {
            lower: last(self.lower),
            upper: last(self.upper),
            digit: last(self.digit),
            space: last(self.space),
            newline: last(self.newline),
            punctuation: last(self.punctuation),
            heads: last(self.heads),
            len: BEHIND,
        };
    }

    /// The class of the last character, and how many came in a row: as many as a price can tell.
    pub(super) fn last(&self) -> (Class, u32) {
        let run = |set: u64| (set << (u64::BITS - self.len)).leading_ones();
        let (lower, upper, digit) = (run(self.lower), run(self.upper), run(self.digit));
        if lower > 0 {
            let capital = self.upper & !(self.upper << 1);
            let before = capital << (u64::BITS - self.len);
            (Class::Lower, lower + u32::from(before << (lower - 1) << 1 >> 63 == 1))
        } else if upper > 0 {
            (Class::Upper, upper)
        } else if digit > 0 {
            let to_head = (self.heads << (u64::BITS - self.len)).leading_zeros();
            // What counts is the place in the group of three, and whether it is the first.
            (Class::Digit, if digit < BEHIND { digit } else { BEHIND + to_head })
        } else if self.space >> (self.len - 1) & 1 == 1 {
            (Class::Space, run(self.space))
        } else if self.newline >> (self.len - 1) & 1 == 1 {
            (Class::Newline, run(self.newline))
        } else {
            (Class::Punctuation, run(self.punctuation))
        }
    }
}

/// Whether there is enough of plain text to make up for the preparations.
#[inline]
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.len() >= 2 * WORD && odd::<false>(first_word(bytes)) == 0
}

/// The first `N` words, if all are plain.
#[inline]
fn plain_words<const N: usize, const JSON: bool>(bytes: &[u8]) -> Option<[u64; N]> {
    let mut words = [0; N];
    let mut found = 0;
    for (word, bytes) in words.iter_mut().zip(bytes.get(..N * WORD)?.chunks_exact(WORD)) {
        *word = first_word(bytes);
        found |= odd::<JSON>(*word);
    }
    (found == 0).then_some(words)
}

/// The first bytes; what is missing is no plain character.
#[inline]
fn first_word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Sets the highest bit of each byte that is not from the space to the tilde, nor begins an escape.
///
/// Holds for the first such byte; those behind it may be wrong.
#[inline]
const fn odd<const JSON: bool>(word: u64) -> u64 {
    let mut odd = word | word.wrapping_add(ONES) | !word.wrapping_add((0x80 - 0x20) * ONES);
    if JSON {
        odd |= !(word ^ (b'\\' as u64 * ONES)).wrapping_add(0x7F * ONES);
    }
    odd & HIGH
}

/// Sets the highest bit of each byte that is at least `bound`, as long as none is above 0x7F.
const fn at_least(word: u64, bound: u8) -> u64 {
    word.wrapping_add((0x80 - bound as u64) * ONES) & HIGH
}

/// The highest bits of all bytes, side by side.
const fn gather(word: u64) -> u64 {
    (word & HIGH).wrapping_mul(0x0002_0408_1020_4081) >> 56
}
