//! Passing over a container: 64 bytes at a time, counting brackets outside of strings.

#[cfg(target_arch = "x86_64")]
use super::avx2;
#[cfg(not(target_arch = "x86_64"))]
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::sse2;

/// What a skip has to remember between slices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skip {
    /// Containers still open, the one being skipped included.
    pub(crate) depth: u32,
    in_string: bool,
    escape: bool,
}

impl Skip {
    /// A skip that starts right behind an opening bracket.
    pub(crate) fn inside() -> Self {
        Self { depth: 1, in_string: false, escape: false }
    }

    /// Goes on from `from`; the position behind the closing bracket, or `None` when the slice ends
    /// first.
    ///
    /// What is skipped is checked for balance only, not for grammar.
    #[inline]
    pub(crate) fn run(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        #[cfg(target_arch = "x86_64")]
        if bytes.len() - from >= 256
            && std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("pclmulqdq")
            && std::arch::is_x86_feature_detected!("popcnt")
        {
            return avx2::skip(self, bytes, from);
        }
        self.blocks(bytes, from, Masks::of, prefix_xor)
    }

    /// Goes on block by block, with the best tools there are for looking at one.
    #[inline(always)]
    pub(super) fn blocks(
        &mut self,
        bytes: &[u8],
        mut from: usize,
        masks: impl Fn(&[u8; 64]) -> Masks,
        prefix_xor: impl Fn(u64) -> u64,
    ) -> Option<usize> {
        while let Some(block) = bytes.get(from..from + 64) {
            let block = block.try_into().expect("64 bytes were asked for");
            if let Some(end) = self.block(&masks(block), &prefix_xor, 64) {
                return Some(from + end);
            }
            from += 64;
        }
        let rest = &bytes[from..];
        if rest.is_empty() {
            return None;
        }
        // Blanks behind the end of the slice are neither quotes, backslashes nor brackets.
        let mut block = [b' '; 64];
        block[..rest.len()].copy_from_slice(rest);
        self.block(&masks(&block), &prefix_xor, rest.len()).map(|end| from + end)
    }

    /// Takes in the first `len` bytes of a block; the rest of it is blank.
    #[inline(always)]
    fn block(
        &mut self,
        masks: &Masks,
        prefix_xor: impl Fn(u64) -> u64,
        len: usize,
    ) -> Option<usize> {
        // Bit n of `escapes` is set when byte n is escaped by an odd run of backslashes before it.
        let carried = u64::from(self.escape);
        let escapes = if masks.backslash == 0 {
            self.escape = false;
            carried
        } else {
            let (escapes, at_end) = escaped_bytes(masks.backslash, carried, len);
            self.escape = at_end;
            escapes
        };
        let quotes = masks.quote & !escapes;
        // Bit n is set from an opening quote up to, not including, its closing quote.
        let in_string = prefix_xor(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        self.in_string = in_string >> 63 == 1;
        let opens = masks.open & !in_string;
        let mut closes = masks.close & !in_string;
        let (opened, closed) = (opens.count_ones(), closes.count_ones());
        if closed < self.depth {
            self.depth = self.depth.saturating_add(opened) - closed;
            return None;
        }
        let mut passed = 0;
        while closes != 0 {
            let at = closes.trailing_zeros();
            passed += 1;
            let before = opens & ((1u64 << at) - 1);
            if self.depth + before.count_ones() == passed {
                self.depth = 0;
                return Some(at as usize + 1);
            }
            closes &= closes - 1;
        }
        self.depth = self.depth + opened - closed;
        None
    }
}

/// Which of 64 bytes are escaped, and whether the byte behind the first `len` is.
fn escaped_bytes(backslash: u64, carried: u64, len: usize) -> (u64, bool) {
    // Backslashes come in runs; walking the runs costs less than it seems, as text rarely has many.
    let mut escapes = carried;
    let mut rest = backslash & !carried;
    let mut at_end = len == 0 && carried == 1;
    while rest != 0 {
        let at = rest.trailing_zeros() as usize;
        if at + 1 == len {
            at_end = true;
        }
        if at + 1 < 64 {
            escapes |= 1 << (at + 1);
            rest &= !(1 << (at + 1));
        }
        rest &= rest - 1;
    }
    (escapes, at_end)
}

/// Bit n of the result is the parity of bits 0 to n.
pub(super) fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    bits
}

/// Where in 64 bytes the characters are that a skip cares for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Masks {
    pub(super) quote: u64,
    pub(super) backslash: u64,
    pub(super) open: u64,
    pub(super) close: u64,
}

impl Masks {
    #[inline]
    pub(super) fn of(block: &[u8; 64]) -> Self {
        #[cfg(target_arch = "x86_64")]
        return sse2::masks(block);
        #[cfg(not(target_arch = "x86_64"))]
        return portable::masks(block);
    }
}
