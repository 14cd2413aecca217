//! For any processor, and the truth that the others are tested against.

use super::skip::Masks;

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
