// unsafe: functions for one instruction set are called where the processor has been asked for it.
#![allow(unsafe_code, reason = "the processor's own instructions are asked for the same")]

use proptest::prelude::*;

use super::{
    skip::{Masks, prefix_xor},
    *,
};

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
