// `unsafe` here: unaligned loads for SSE2 and AVX2, the latter after asking the processor; bounds are checked beside each.
//! Looking at many bytes at once: the only two searches a scanner spends its time in.
//!
//! A JSON answer is mostly string contents and values nobody asked for. Finding the end of a string
//! and the end of a skipped container at memory speed is what makes reading cheap; everything else
//! happens once per key. The x86-64 code and the portable code are tested against each other.
#![allow(unsafe_code)]

/// Where a string ends, seen from a position inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StringEnd {
    /// The closing quote is at this position.
    At(usize),
    /// The slice ends first. `escape` is set when its last byte is a backslash that escapes the
    /// first byte of the next slice.
    Beyond { escape: bool },
}

/// Finds the closing quote of the string that `from` lies in, and notes in `escaped` whether a
/// backslash was passed on the way.
#[inline]
pub(crate) fn string_end(bytes: &[u8], mut from: usize, escaped: &mut bool) -> StringEnd {
    loop {
        let Some(at) = quote_or_backslash(bytes, from) else {
            return StringEnd::Beyond { escape: false };
        };
        if bytes[at] == b'"' {
            return StringEnd::At(at);
        }
        *escaped = true;
        from = at + 2;
        if from > bytes.len() {
            return StringEnd::Beyond { escape: true };
        }
    }
}

/// Finds the closing quote of a string whose content does not matter.
///
/// Looks for quotes only, and counts the backslashes before one when it finds one: text is full of
/// `\n`, and none of them is worth a stop. Runs of backslashes before different quotes do not
/// overlap, so that the counting is linear.
#[inline]
pub(crate) fn passed_end(bytes: &[u8], from: usize) -> StringEnd {
    let mut at = from;
    // Most strings are short; a long one is worth the call below.
    let near = bytes.len().min(from + 64);
    while at + 16 <= near {
        if let Some(quote) = quote_in_16(bytes, at) {
            if !is_escaped(bytes, from, quote) {
                return StringEnd::At(quote);
            }
            at = quote + 1;
        } else {
            at += 16;
        }
    }
    far_quote(bytes, from, at)
}

/// Whether an odd run of backslashes stands between `from` and `at`.
#[inline]
fn is_escaped(bytes: &[u8], from: usize, at: usize) -> bool {
    let run = bytes[from..at].iter().rev().take_while(|byte| **byte == b'\\').count();
    run % 2 == 1
}

/// The closing quote at or after `at`, in a string that `from` lies in.
#[inline]
fn far_quote(bytes: &[u8], from: usize, at: usize) -> StringEnd {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() - at >= 64 && std::arch::is_x86_feature_detected!("avx2") {
        return avx2::quote(bytes, from, at);
    }
    any_quote(bytes, from, at)
}

fn any_quote(bytes: &[u8], from: usize, mut at: usize) -> StringEnd {
    while let Some(distance) = memchr::memchr(b'"', &bytes[at..]) {
        let quote = at + distance;
        if !is_escaped(bytes, from, quote) {
            return StringEnd::At(quote);
        }
        at = quote + 1;
    }
    StringEnd::Beyond { escape: is_escaped(bytes, from, bytes.len()) }
}

/// The first quote in the 16 bytes from `at`, all of which must be there.
#[inline]
fn quote_in_16(bytes: &[u8], at: usize) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return sse2::quote_in_16(bytes, at);
    #[cfg(not(target_arch = "x86_64"))]
    return memchr::memchr(b'"', &bytes[at..at + 16]).map(|distance| at + distance);
}

/// The first `"` or `\` at or after `from`.
#[inline]
fn quote_or_backslash(bytes: &[u8], from: usize) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return sse2::quote_or_backslash(bytes, from);
    #[cfg(not(target_arch = "x86_64"))]
    return portable::quote_or_backslash(bytes, from);
}

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
    fn blocks(
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
fn prefix_xor(mut bits: u64) -> u64 {
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
struct Masks {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

impl Masks {
    #[inline]
    fn of(block: &[u8; 64]) -> Self {
        #[cfg(target_arch = "x86_64")]
        return sse2::masks(block);
        #[cfg(not(target_arch = "x86_64"))]
        return portable::masks(block);
    }
}

/// Twice as wide as SSE2, for processors that have it; asked at run time, once per long stretch.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8,
    };

    use super::{Masks, Skip, StringEnd, any_quote, is_escaped};

    /// As [`super::any_quote`].
    pub(super) fn quote(bytes: &[u8], from: usize, at: usize) -> StringEnd {
        // SAFETY: the caller has asked the processor for AVX2.
        unsafe { quote_in_64s(bytes, from, at) }
    }

    #[target_feature(enable = "avx2")]
    unsafe fn quote_in_64s(bytes: &[u8], from: usize, mut at: usize) -> StringEnd {
        while at + 64 <= bytes.len() {
            // SAFETY: 64 bytes follow `at`.
            let mask = unsafe {
                let wanted = _mm256_set1_epi8(b'"' as i8);
                let start = bytes.as_ptr().add(at);
                let low = _mm256_cmpeq_epi8(_mm256_loadu_si256(start.cast::<__m256i>()), wanted);
                let high = start.add(32).cast::<__m256i>();
                let high = _mm256_cmpeq_epi8(_mm256_loadu_si256(high), wanted);
                if _mm256_movemask_epi8(_mm256_or_si256(low, high)) == 0 {
                    at += 64;
                    continue;
                }
                u64::from(_mm256_movemask_epi8(low) as u32)
                    | u64::from(_mm256_movemask_epi8(high) as u32) << 32
            };
            let mut quotes = mask;
            while quotes != 0 {
                let quote = at + quotes.trailing_zeros() as usize;
                if !is_escaped(bytes, from, quote) {
                    return StringEnd::At(quote);
                }
                quotes &= quotes - 1;
            }
            at += 64;
        }
        any_quote(bytes, from, at)
    }

    /// As [`Skip::run`].
    pub(super) fn skip(skip: &mut Skip, bytes: &[u8], from: usize) -> Option<usize> {
        // SAFETY: the caller has asked the processor for these.
        unsafe { skip_blocks(skip, bytes, from) }
    }

    #[target_feature(enable = "avx2,pclmulqdq,popcnt")]
    unsafe fn skip_blocks(skip: &mut Skip, bytes: &[u8], from: usize) -> Option<usize> {
        // SAFETY: both closures run here only, where the processor is known to have what they need.
        skip.blocks(bytes, from, |block| unsafe { masks(block) }, |bits| unsafe { parity(bits) })
    }

    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn masks(block: &[u8; 64]) -> Masks {
        // SAFETY: 32 bytes follow each of 0 and 32 in 64.
        unsafe {
            let start = block.as_ptr();
            let low = _mm256_loadu_si256(start.cast::<__m256i>());
            let high = _mm256_loadu_si256(start.add(32).cast::<__m256i>());
            let find = |low: __m256i, high: __m256i, byte: u8| {
                let wanted = _mm256_set1_epi8(byte as i8);
                let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) as u32;
                let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) as u32;
                u64::from(low) | u64::from(high) << 32
            };
            // As in `sse2::masks`.
            let fold = _mm256_set1_epi8(0x20);
            let (low_folded, high_folded) =
                (_mm256_or_si256(low, fold), _mm256_or_si256(high, fold));
            Masks {
                quote: find(low, high, b'"'),
                backslash: find(low, high, b'\\'),
                open: find(low_folded, high_folded, b'{'),
                close: find(low_folded, high_folded, b'}'),
            }
        }
    }

    /// As [`super::prefix_xor`]: a product without carries with all ones.
    #[allow(unused_unsafe, reason = "safe with these features since Rust 1.87, not before")]
    #[target_feature(enable = "pclmulqdq")]
    pub(super) unsafe fn parity(bits: u64) -> u64 {
        // SAFETY: the processor has carry-less products, says this function's own condition.
        unsafe {
            let product =
                _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
            _mm_cvtsi128_si64(product) as u64
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };

    use super::Masks;

    #[inline]
    pub(super) fn quote_in_16(bytes: &[u8], at: usize) -> Option<usize> {
        let chunk = &bytes[at..at + 16];
        // SAFETY: SSE2 is part of x86-64, and the slice has 16 bytes.
        let mask = unsafe {
            let chunk = _mm_loadu_si128(chunk.as_ptr().cast::<__m128i>());
            _mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'"' as i8))) as u32
        };
        (mask != 0).then(|| at + mask.trailing_zeros() as usize)
    }

    #[inline]
    pub(super) fn quote_or_backslash(bytes: &[u8], mut from: usize) -> Option<usize> {
        let hits = |at: usize| {
            debug_assert!(at + 16 <= bytes.len());
            // SAFETY: SSE2 is part of x86-64, and both callers make sure that 16 bytes follow `at`.
            unsafe {
                let chunk = _mm_loadu_si128(bytes.as_ptr().add(at).cast::<__m128i>());
                let quote = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'"' as i8));
                let backslash = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'\\' as i8));
                _mm_movemask_epi8(_mm_or_si128(quote, backslash)) as u32
            }
        };
        while from + 16 <= bytes.len() {
            let mask = hits(from);
            if mask != 0 {
                return Some(from + mask.trailing_zeros() as usize);
            }
            from += 16;
        }
        if bytes.len() < 16 {
            return super::portable::quote_or_backslash(bytes, from);
        }
        // The last 16 bytes once more, without those already seen.
        let last = bytes.len() - 16;
        let mask = hits(last) >> (from - last);
        if mask == 0 {
            return None;
        }
        Some(from + mask.trailing_zeros() as usize)
    }

    #[inline]
    pub(super) fn masks(block: &[u8; 64]) -> Masks {
        let mut masks = Masks { quote: 0, backslash: 0, open: 0, close: 0 };
        for part in 0..4 {
            // SAFETY: SSE2 is part of x86-64, and 16 bytes follow each of 0, 16, 32 and 48 in 64.
            unsafe {
                let chunk = _mm_loadu_si128(block.as_ptr().add(part * 16).cast::<__m128i>());
                let find = |within: __m128i, byte: u8| {
                    let found = _mm_cmpeq_epi8(within, _mm_set1_epi8(byte as i8));
                    u64::from(_mm_movemask_epi8(found) as u32) << (part * 16)
                };
                masks.quote |= find(chunk, b'"');
                masks.backslash |= find(chunk, b'\\');
                // `[` and `{`, `]` and `}` differ in this one bit, and no other byte joins them.
                let folded = _mm_or_si128(chunk, _mm_set1_epi8(0x20));
                masks.open |= find(folded, b'{');
                masks.close |= find(folded, b'}');
            }
        }
        masks
    }
}

#[cfg_attr(all(target_arch = "x86_64", not(test)), allow(dead_code))]
mod portable {
    use super::Masks;

    pub(super) fn quote_or_backslash(bytes: &[u8], from: usize) -> Option<usize> {
        memchr::memchr2(b'"', b'\\', bytes.get(from..)?).map(|at| from + at)
    }

    pub(super) fn masks(block: &[u8; 64]) -> Masks {
        let mut masks = Masks { quote: 0, backslash: 0, open: 0, close: 0 };
        for (at, byte) in block.iter().enumerate() {
            masks.quote |= u64::from(*byte == b'"') << at;
            masks.backslash |= u64::from(*byte == b'\\') << at;
            masks.open |= u64::from(matches!(byte, b'{' | b'[')) << at;
            masks.close |= u64::from(matches!(byte, b'}' | b']')) << at;
        }
        masks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The end of a container, one byte after the other.
    fn skip_slowly(bytes: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut escape) = (1, false, false);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' if !escape => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => depth -= 1,
                _ => {}
            }
            escape = *byte == b'\\' && !escape;
            if depth == 0 {
                return Some(at + 1);
            }
        }
        None
    }

    fn jsonish() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => prop::sample::select(&b"\"\\{}[]"[..]),
            6 => prop::sample::select(&b"a :,\xc3\x5b\x7b\x3b"[..]),
        ];
        prop::collection::vec(byte, 0..400)
    }

    proptest! {
        #[test]
        fn a_skip_ends_where_counting_ends_however_it_is_split(
            bytes in jsonish(), cuts in prop::collection::vec(0usize..400, 0..4),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut skip = Skip::inside();
            let mut end = None;
            for pair in cuts.windows(2) {
                if end.is_none() {
                    end = skip.run(&bytes[pair[0]..pair[1]], 0).map(|end| pair[0] + end);
                }
            }
            prop_assert_eq!(end, skip_slowly(&bytes));
        }

        #[test]
        fn fast_and_portable_searches_agree(bytes in jsonish(), from in 0usize..400) {
            let from = from.min(bytes.len());
            prop_assert_eq!(
                quote_or_backslash(&bytes, from), portable::quote_or_backslash(&bytes, from)
            );
            let mut block = [b'x'; 64];
            let len = bytes.len().min(64);
            block[..len].copy_from_slice(&bytes[..len]);
            prop_assert_eq!(Masks::of(&block), portable::masks(&block));
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("pclmulqdq")
            {
                // SAFETY: the processor was asked.
                let (masks, parity) =
                    unsafe { (avx2::masks(&block), avx2::parity(portable::masks(&block).quote)) };
                prop_assert_eq!(masks, portable::masks(&block));
                prop_assert_eq!(parity, prefix_xor(masks.quote));
            }
        }

        #[test]
        fn a_passed_string_ends_where_a_kept_one_does(bytes in jsonish(), from in 0usize..400) {
            let from = from.min(bytes.len());
            prop_assert_eq!(passed_end(&bytes, from), string_end(&bytes, from, &mut false));
            prop_assert_eq!(any_quote(&bytes, from, from), string_end(&bytes, from, &mut false));
            let plain: Vec<u8> =
                bytes.iter().map(|byte| if *byte == b'"' { b'x' } else { *byte }).collect();
            prop_assert_eq!(passed_end(&plain, from), string_end(&plain, from, &mut false));
        }

        #[test]
        fn a_string_ends_at_the_first_quote_that_is_not_escaped(bytes in jsonish()) {
            let mut escape = false;
            let mut expected = None;
            for (at, byte) in bytes.iter().enumerate() {
                match byte {
                    _ if escape => escape = false,
                    b'\\' => escape = true,
                    b'"' => { expected = Some(at); break; }
                    _ => {}
                }
            }
            let mut escaped = false;
            let end = string_end(&bytes, 0, &mut escaped);
            match expected {
                Some(at) => {
                    prop_assert_eq!(end, StringEnd::At(at));
                    prop_assert_eq!(escaped, bytes[..at].contains(&b'\\'));
                }
                None => prop_assert_eq!(end, StringEnd::Beyond { escape }),
            }
        }
    }
}
