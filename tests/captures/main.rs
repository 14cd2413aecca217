//! Every captured answer gives its expected verdict: whole, byte by byte, and however it is split.

mod expected;

use std::time::{Duration, SystemTime};

use battlement_core::{Dialect, End, Outcome, Provider, Reader, Verdict, hint};
use expected::{Capture, captures, reference_now};

fn read<'a>(capture: &Capture, slices: impl Iterator<Item = &'a [u8]>) -> Verdict {
    let mut reader =
        Reader::new(capture.dialect, capture.provider, capture.status, &capture.headers)
            .streamed(capture.stream);
    for slice in slices {
        let _ = reader.feed(slice);
    }
    reader.finish(End::Eof, reference_now())
}

#[test]
fn whole() {
    let mut wrong = Vec::new();
    for capture in captures() {
        let verdict = read(&capture, [&capture.body[..]].into_iter());
        wrong.extend(capture.differences(&verdict));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn byte_by_byte() {
    for capture in captures() {
        let whole = read(&capture, [&capture.body[..]].into_iter());
        assert_eq!(read(&capture, capture.body.chunks(1)), whole, "{}", capture.file);
    }
}

#[test]
fn at_seeded_random_splits() {
    let mut random = Random(0x5EED);
    for capture in captures() {
        let whole = read(&capture, [&capture.body[..]].into_iter());
        for _ in 0..20 {
            let longest = 1 + random.below(200);
            let mut rest = &capture.body[..];
            let slices = std::iter::from_fn(|| {
                let len = (1 + random.below(longest)).min(rest.len());
                let (slice, behind) = rest.split_at(len);
                rest = behind;
                (!slice.is_empty()).then_some(slice)
            });
            let slices: Vec<_> = slices.collect();
            assert_eq!(read(&capture, slices.into_iter()), whole, "{}", capture.file);
        }
    }
}

/// What an answer is called before its end is known is what the verdict calls it.
#[test]
fn told_before_the_end() {
    let mut told = 0;
    for capture in captures() {
        let mut reader =
            Reader::new(capture.dialect, capture.provider, capture.status, &capture.headers);
        let _ = reader.feed(&capture.body);
        if let Some(class) = reader.told().filter(|_| capture.status.is_success()) {
            let verdict = reader.finish(End::Eof, reference_now());
            assert_eq!(verdict.outcome, Outcome::Finished(class), "{}", capture.file);
            told += 1;
        }
    }
    assert!(told > 400, "{told}");
}

#[test]
fn rate_limit_headers() {
    for capture in captures() {
        let limits = hint::rate_limits(&capture.headers, capture.provider, reference_now());
        for (name, expected) in &capture.rate_limit {
            let window = limits.get(name).unwrap_or_else(|| panic!("{}: no {name}", capture.file));
            let reset = window.reset.map(|reset| reset.as_millis() as u64);
            let found = (window.limit, window.remaining, reset);
            assert_eq!(found, *expected, "{}: {name}", capture.file);
        }
    }
}

/// What a provider may not do to us: a capture cut short at any byte, or with a byte turned, gives a
/// verdict and no panic, and a cut stream is never a success unless it was whole before.
#[test]
fn cut_anywhere() {
    for capture in captures() {
        for len in 0..capture.body.len().min(2000) {
            let body = &capture.body[..len];
            let verdict = read(&capture, [body].into_iter());
            assert_eq!(verdict.is_success(), verdict.failure.is_none());
            if !capture.stream && verdict.is_success() {
                let rest = &capture.body[len..];
                assert!(rest.trim_ascii().is_empty(), "{} at {len}", capture.file);
            }
        }
    }
}

/// A small generator with a seed, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn names_of_dialects_and_providers_are_those_of_the_captures() {
    for capture in captures() {
        assert_eq!(capture.dialect.as_str().parse(), Ok::<Dialect, _>(capture.dialect));
        assert_eq!(capture.provider.as_str().parse(), Ok::<Provider, _>(capture.provider));
    }
    assert!(reference_now() > SystemTime::UNIX_EPOCH + Duration::from_secs(1));
}
