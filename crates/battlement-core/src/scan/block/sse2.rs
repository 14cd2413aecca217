// `unsafe` here: unaligned SSE2 loads, which every x86-64 processor has, each beside the check of its bounds.
//! Sixteen bytes at a time.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
};

use super::{portable, skip::Masks};

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
        return portable::quote_or_backslash(bytes, from);
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
