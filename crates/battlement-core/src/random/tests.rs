use std::{collections::HashSet, thread};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Always the same draw.
struct Fixed(f64);

impl Random for Fixed {
    fn unit(&mut self) -> f64 {
        self.0
    }
}

#[test]
fn known_answers() {
    // The first outputs of the reference implementation for the seed 1234567.
    let mut random = Seeded(1_234_567);
    assert_eq!(random.next(), 6_457_827_717_110_365_317);
    assert_eq!(random.next(), 3_203_168_211_198_807_973);
    assert_eq!(random.next(), 9_817_491_932_198_370_423);
}

#[test]
fn draws_fill_the_unit_evenly() {
    let mut random = Seeded(1);
    let mut bins = [0_u32; 10];
    for _ in 0..100_000 {
        bins[(random.unit() * 10.0) as usize] += 1;
    }
    assert!(bins.iter().all(|count| (9_600..10_400).contains(count)), "{bins:?}");
}

#[test]
fn a_fork_is_another_sequence() {
    let mut random = Seeded(0);
    let mut fork = random.fork();
    let own: HashSet<_> = (0..1000).map(|_| random.next()).collect();
    assert!((0..1000).all(|_| !own.contains(&fork.next())));
}

#[test]
fn threads_that_share_never_draw_the_same() {
    let shared = Shared::new(3);
    let draw = || (0..1000).map(|_| (&shared).unit().to_bits()).collect::<Vec<_>>();
    let (left, right) = thread::scope(|scope| {
        let other = scope.spawn(draw);
        (draw(), other.join().unwrap())
    });
    let distinct: HashSet<_> = left.iter().chain(&right).collect();
    assert_eq!(distinct.len(), 2000);
}

#[test]
fn shared_and_seeded_agree() {
    let shared = Shared::new(11);
    let mut seeded = Seeded(11);
    assert!((0..100).all(|_| (&shared).unit() == seeded.unit()));
}

#[test]
fn between_keeps_fractions_and_bounds() {
    let check = |low, high, draw, expected| {
        assert_eq!(between(low, high, &mut Fixed(draw)), expected, "{low:?} {high:?} {draw}");
    };
    check(Duration::ZERO, SECOND, 0.25, SECOND / 4);
    check(Duration::ZERO, 2 * SECOND, 0.75, Duration::from_millis(1500));
    check(SECOND, 3 * SECOND, 0.5, 2 * SECOND);
    check(SECOND, SECOND, 0.5, SECOND);
    check(2 * SECOND, SECOND, 0.5, 2 * SECOND);
    check(Duration::ZERO, SECOND, -1.0, Duration::ZERO);
    check(Duration::ZERO, SECOND, f64::NAN, Duration::ZERO);
    check(Duration::ZERO, SECOND, f64::INFINITY, SECOND);
    check(Duration::ZERO, Duration::MAX, 1.0, Duration::MAX);
    let rounds_up = Duration::new(1 << 40, 999_999_999);
    check(Duration::ZERO, rounds_up, 1.0, rounds_up);
}
