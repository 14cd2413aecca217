mod governor;
mod properties;

use super::*;

#[expect(clippy::disallowed_methods, reason = "tests count from some moment, whichever it is")]
fn start() -> Instant {
    Instant::now()
}

fn rate(amount: u64, seconds: u64) -> Rate {
    Rate::new(amount, Duration::from_secs(seconds)).unwrap()
}

/// Walks a bucket of 10 tokens, 1 a second, through a script of steps:
///
/// - `+n`: n seconds pass, `-n`: the clock goes back n seconds
/// - `tn`: take n, `!n`: charge n in any case, `rn`: reserve n
/// - `sn:m`: settle the n-th reservation at m, `kn`: keep it
/// - `cn:m`: change the amount to n in 10 seconds and the burst to m
/// - `ln`: lower to n, `^n`: raise by n
///
/// After each step it expects the level; `x` after the level means that the step was refused.
fn check(script: &str, expected: &str) {
    run(Bucket::new(rate(10, 10), start()), script, expected);
}

fn run(mut bucket: Bucket, script: &str, expected: &str) {
    let mut now = bucket.at;
    let mut open: Vec<Option<Reservation>> = Vec::new();
    let mut levels = Vec::new();
    for step in script.split(' ') {
        let (kind, numbers) = step.split_at(1);
        let (first, second) = numbers.split_once(':').unwrap_or((numbers, "0"));
        let level: i64 = first.parse().unwrap();
        let (first, second): (u64, u64) = (level.unsigned_abs(), second.parse().unwrap());
        let mut refused = false;
        match kind {
            "+" => now += Duration::from_secs(first),
            "-" => now -= Duration::from_secs(first),
            "t" => refused = bucket.take(first, now).is_err(),
            "!" => bucket.charge(first, now),
            "r" => match bucket.reserve(first, now) {
                Ok(reservation) => open.push(Some(reservation)),
                Err(_) => refused = true,
            },
            "s" => bucket.settle(open[first as usize].take().unwrap(), second, now),
            "k" => bucket.keep(open[first as usize].take().unwrap(), now),
            "c" => refused = bucket.change(first, second, now).is_err(),
            "l" => bucket.lower(level, now),
            "^" => bucket.raise(first, now),
            _ => panic!("no such step: {step}"),
        }
        let mark = if refused { "x" } else { "" };
        levels.push(format!("{}{mark}", bucket.level(now)));
    }
    assert_eq!(levels.join(" "), expected, "{script}");
}

#[test]
fn fills_and_empties() {
    check("t4 t6 t1 +1 t1 +20", "6 0 0x 1 0 10");
    check("t10 +3 t4 +1 t4", "0 3 3x 4 0");
}

#[test]
fn a_clock_that_goes_back_brings_nothing() {
    check("t10 +5 t5 -3 t1 +3 +1 t1", "0 5 0 0 0x 0 1 0");
}

#[test]
fn debt_is_worked_off_before_anything_passes() {
    check("!25 +14 t1 +2 t1 t1", "-15 -1 -1x 1 0 0x");
    check("r5 s0:30 +10 +10 t1 +1 t1", "5 -20 -10 0 0x 1 0");
}

#[test]
fn nothing_costs_nothing_even_in_debt() {
    check("!25 t0", "-15 -15");
}

#[test]
fn a_refund_is_what_would_have_been_not_added_on_top() {
    // With 2 instead of 10, the bucket had been full again after two seconds.
    check("r10 +5 s0:2", "0 5 10");
    // Had the first cost nothing, the second had still left 5, and one second brought one more.
    check("r4 r5 +1 s0:0 s1:5", "6 1 2 6 6");
    check("r10 +10 r10 s0:0 s1:0", "0 10 0 0 10");
}

#[test]
fn a_reservation_may_be_kept() {
    check("r4 r6 +1 k0 s1:0", "6 0 1 1 7");
}

#[test]
fn changed_limits_are_taken_in() {
    // Debt stays, a lower burst takes effect at once, a higher one fills at the new rate.
    check("c20:5 t5 +1 c10:40 +3", "5 0 2 2 5");
    check("!15 c10:5 +5 +6", "-5 -5 0 5");
    check("c0:5", "10x");
    check("c5:0", "10x");
    // A reservation from before is settled against the burst it was made under.
    check("r10 c10:5 +10 s0:0", "0 0 5 5");
}

#[test]
fn somebody_who_knows_better_lowers_or_raises() {
    check("l4 l6 l-3 ^5 ^20", "4 4 -3 2 10");
    // What was lowered after an admission is not given back by its settlement.
    check("r5 l2 s0:0", "5 2 2");
}

#[test]
fn more_than_the_burst_passes_only_on_loan_and_from_a_full_bucket() {
    let bucket = Bucket::new(rate(10, 10), start());
    assert_eq!(bucket.check(11, bucket.at), Err(Refused::TooLarge { burst: 10 }));
    // Who lends asks for the burst, and charges the whole.
    check("t25 t10 !15 +24 t10 +1 t10 !1", "10x 0 -15 9 9x 10 0 -1");
}

#[test]
fn the_wait_is_exact_to_the_nanosecond() {
    let start = start();
    let mut bucket = Bucket::new(rate(7, 60), start);
    bucket.take(7, start).unwrap();
    let third_of_six = Duration::from_nanos(8_571_428_572);
    let Err(Refused::Until(until)) = bucket.take(1, start) else { panic!("it is empty") };
    assert_eq!(until - start, third_of_six);
    assert!(bucket.check(1, until - Duration::from_nanos(1)).is_err());
    bucket.take(1, until).unwrap();
}

#[test]
fn a_wait_beyond_the_end_of_the_clock_is_a_long_one() {
    let start = start();
    let mut bucket = Bucket::new(Rate::new(1, MAX_PERIOD).unwrap(), start);
    bucket.charge(u64::MAX, start);
    bucket.charge(u64::MAX, start);
    let Err(Refused::Until(until)) = bucket.check(1, start) else { panic!("it is in debt") };
    assert!(until > start + MAX_PERIOD / 2);
    assert_eq!(bucket.level(start), i64::MIN);
}

#[test]
fn out_of_range_is_refused_at_build() {
    let second = Duration::from_secs(1);
    assert_eq!(Rate::new(0, second), Err(InvalidRate::Amount(0)));
    assert_eq!(Rate::new(MAX_AMOUNT + 1, second), Err(InvalidRate::Amount(MAX_AMOUNT + 1)));
    assert_eq!(Rate::new(1, Duration::ZERO), Err(InvalidRate::Period(Duration::ZERO)));
    let leap_year = Duration::from_secs(31_622_400);
    assert!(Rate::new(1, leap_year).is_ok());
    assert!(Rate::new(1, leap_year + second).is_err());
    assert_eq!(rate(1, 1).with_burst(0), Err(InvalidRate::Burst(0)));
    assert!(rate(1, 1).with_burst(MAX_AMOUNT + 1).is_err());
    assert!(rate(MAX_AMOUNT, 1).with_burst(MAX_AMOUNT).is_ok());
}

/// What a refund on top does, so that the envelope test is known to have something to notice.
#[test]
fn a_naive_refund_passes_twice_the_burst_at_once() {
    let start = start();
    let end = start + Duration::from_secs(80);
    let passed_at_the_end = |naive: bool| {
        let mut bucket = Bucket::new(rate(80, 80), start);
        let calls: Vec<_> = (0..8).map(|_| bucket.reserve(10, start).unwrap()).collect();
        let pass = |bucket: &mut Bucket, cost| {
            let calls = (0..1000).take_while(|_| bucket.take(cost, end).is_ok());
            calls.count() as u64 * cost
        };
        let mut passed = pass(&mut bucket, 10);
        for call in calls {
            if naive {
                bucket.keep(call, end);
                bucket.raise(9, end);
            } else {
                bucket.settle(call, 1, end);
            }
            passed += pass(&mut bucket, 9);
        }
        passed
    };
    assert_eq!(passed_at_the_end(false), 80);
    assert_eq!(passed_at_the_end(true), 152);
}
