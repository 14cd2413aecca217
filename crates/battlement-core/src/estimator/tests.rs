use proptest::{collection::vec, prelude::*};

use super::*;

fn estimator(most_keys: usize) -> Estimator {
    Estimator::new(Config { most_keys, ..Config::default() }).unwrap()
}

/// What is expected after answers of these lengths, without a maximum.
fn check(lengths: impl IntoIterator<Item = u64>, expected: u64) {
    let mut estimator = estimator(1);
    for length in lengths {
        estimator.learn(&"key", length);
    }
    assert_eq!(estimator.expected(&"key", None), expected);
}

#[test]
fn it_takes_nineteen_answers() {
    check([], 4096);
    check([5; 18], 4096);
    check([5; 19], 5);
    check([0; 19], 0);
    // The one long answer of nineteen is the one in twenty.
    check([5; 18].into_iter().chain([1000]), 1023);
    check([5; 38].into_iter().chain([1000]), 5);
    check([u64::MAX; 19], (1 << 20) - 1);
}

#[test]
fn a_request_is_never_expected_to_exceed_its_maximum() {
    let mut estimator = estimator(1);
    assert_eq!(estimator.expected(&1, Some(50)), 50);
    for _ in 0..100 {
        estimator.learn(&1, 700);
    }
    assert_eq!(estimator.expected(&1, Some(50)), 50);
    assert_eq!(estimator.expected(&1, Some(5000)), 703);
}

#[test]
fn what_changes_is_learnt_anew() {
    // A few hundred short answers make a thousand long ones forgotten.
    check([9000; 1000].into_iter().chain([100; 1200]), 103);
    check([100; 1000].into_iter().chain([9000; 40]), 9215);
}

#[test]
fn keys_are_bounded_and_those_in_use_stay() {
    let mut estimator = estimator(8);
    assert!(estimator.is_empty());
    for _ in 0..30 {
        estimator.learn(&"busy", 10);
    }
    for passing in 0..1000 {
        estimator.learn(&passing, 1);
        assert_eq!(estimator.expected(&"busy", None), 10);
    }
    assert_eq!((estimator.len(), estimator.index.len(), estimator.is_empty()), (8, 8, false));
}

#[test]
fn little_room_is_left_unused() {
    let mut estimator = estimator(1000);
    let mut moves = 0;
    for key in 0..1000 {
        let before = estimator.entries.capacity();
        estimator.learn(&key, 1);
        let room = estimator.entries.capacity();
        let unused = room - estimator.len();
        assert!(unused <= 3.max(estimator.len() / 16), "{unused} of {room}");
        moves += u32::from(room != before);
    }
    assert_eq!(estimator.entries.capacity(), 1000);
    assert!(moves < 90, "{moves}");
}

#[test]
fn out_of_range_is_refused_at_build() {
    let refused = |config| Estimator::new(config).unwrap_err();
    let config = Config::default();
    assert_eq!(refused(Config { most_keys: 0, ..config }), InvalidEstimator::Keys(0));
    assert_eq!(refused(Config { coverage: 0, ..config }), InvalidEstimator::Coverage(0));
    assert_eq!(refused(Config { coverage: 991, ..config }), InvalidEstimator::Coverage(991));
    assert!(Estimator::new(Config { coverage: 990, ..config }).is_ok());
}

proptest! {
    /// Against the sorted list of all lengths, until the first halving.
    #[test]
    fn the_expected_length_is_the_quantile_or_less_than_an_eighth_above(
        lengths in vec(0..200_000u64, 1..=255),
        coverage in 1..=990u16,
    ) {
        let mut estimator = Estimator::new(Config { coverage, ..Config::default() }).unwrap();
        for length in &lengths {
            estimator.learn(&0, *length);
        }
        let mut sorted = lengths;
        sorted.sort_unstable();
        let rank = ((sorted.len() + 1) * usize::from(coverage)).div_ceil(1000);
        let expected = estimator.expected(&0, None);
        match sorted.get(rank - 1) {
            None => prop_assert_eq!(expected, 4096),
            Some(exact) => prop_assert!(*exact <= expected && expected <= exact + exact / 8),
        }
    }

    /// Lengths spread over two orders of magnitude: at least 93 of 100 are covered, and what is
    /// reserved is not much above the true quantile.
    #[test]
    fn what_it_expects_covers_what_comes(seed in any::<u32>()) {
        let mut state = u64::from(seed) | 1;
        let mut length = move || {
            let mut octaves = 0.0;
            for _ in 0..4 {
                // PCG's multiplier.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                octaves += (state >> 33) as f64 / f64::from(1u32 << 31);
            }
            (30.0 * f64::exp2(octaves * 2.0)) as u64
        };
        let mut estimator = estimator(1);
        let mut covered = 0;
        for call in 0..4_000 {
            let actual = length();
            covered += u32::from(call >= 1_000 && actual <= estimator.expected(&0, None));
            estimator.learn(&0, actual);
        }
        prop_assert!((2_800..=2_970).contains(&covered), "{}", covered);
    }
}
