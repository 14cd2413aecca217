// `unsafe` here: unaligned AVX2 loads, each beside the check of its bounds, after the caller has asked the processor.
//! Twice as wide as SSE2, for processors that have it; asked at run time, once per long stretch.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

use super::{Skip, StringEnd, any_quote, is_escaped, skip::Masks};

/// As [`any_quote`].
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
        let (low_folded, high_folded) = (_mm256_or_si256(low, fold), _mm256_or_si256(high, fold));
        Masks {
            quote: find(low, high, b'"'),
            backslash: find(low, high, b'\\'),
            open: find(low_folded, high_folded, b'{'),
            close: find(low_folded, high_folded, b'}'),
        }
    }
}

/// As [`super::skip::prefix_xor`]: a product without carries with all ones.
#[allow(unused_unsafe, reason = "safe with these features since Rust 1.87, not before")]
#[target_feature(enable = "pclmulqdq")]
pub(super) unsafe fn parity(bits: u64) -> u64 {
    // SAFETY: the processor has carry-less products, says this function's own condition.
    unsafe {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }
}
