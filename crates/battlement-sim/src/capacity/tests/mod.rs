mod extremes;

use std::{collections::HashMap, future::poll_fn};

use battlement_core::random::{Random, Seeded};

use super::{
    work::{Lognormal, until_next},
    *,
};

const SECOND: Duration = Duration::from_secs(1);

/// Some moment; a machine has no clock.
fn start() -> Instant {
    Instant::now()
}

fn work(seconds: f64) -> Job {
    Job { work: Duration::from_secs_f64(seconds), ..Job::default() }
}

/// What is told until then, in order.
fn told(machine: &mut impl Machine, until: Instant) -> Vec<(Id, Progress)> {
    let mut told = Vec::new();
    machine.advance(until, &mut told);
    told
}

fn ended(machine: &mut impl Machine, until: Instant) -> Vec<Id> {
    let told = told(machine, until).into_iter();
    told.filter(|(_, progress)| !matches!(progress, Progress::First)).map(|(id, _)| id).collect()
}

#[test]
fn work_has_its_mean_and_spread() {
    let check = |spread: f64| {
        let (sizes, mut random) = (Lognormal::new(10.0, spread), Seeded(1));
        let draws: Vec<f64> = (0..200_000).map(|_| sizes.draw(&mut random)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let square = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>();
        let found = (square / draws.len() as f64).sqrt() / mean;
        assert!((mean - 10.0).abs() < 0.2, "{mean}");
        assert!((found - spread).abs() < 0.1 * spread + 0.01, "{spread}: {found}");
    };
    check(0.0);
    check(0.5);
    check(1.0);
}

/// Calls that come by themselves to a machine: how many are in it on average, and how long one is, in seconds.
fn observe(slots: usize, load: f64, exponential: bool) -> (f64, f64, f64) {
    let mut machine = Slots::new(slots::Config { slots, ..Default::default() });
    let (mut random, mut now) = (Seeded(7), start());
    let (began, rate) = (now, load * slots as f64 / 10.0);
    let sizes = Lognormal::new(10.0, 1.0);
    let mut arrived: HashMap<Id, Instant> = HashMap::new();
    let (mut inside, mut total, mut count) = (0.0, 0.0, 0);
    for id in 0..60_000 {
        let next = now + until_next(rate, &mut random);
        while let Some(due) = machine.due().filter(|due| *due <= next) {
            inside += (due - now).as_secs_f64() * arrived.len() as f64;
            now = due;
            for id in ended(&mut machine, now) {
                total += (now - arrived.remove(&id).unwrap()).as_secs_f64();
                count += 1;
            }
        }
        inside += (next - now).as_secs_f64() * arrived.len() as f64;
        now = next;
        let draw = random.unit();
        let long = if exponential { -10.0 * (1.0 - draw).ln() } else { sizes.draw(&mut random) };
        machine.arrive(id, work(long), now).unwrap();
        arrived.insert(id, now);
    }
    let time = (now - began).as_secs_f64();
    (inside / time, total / f64::from(count), f64::from(count) / time)
}

#[test]
fn slots_keep_littles_law() {
    for load in [0.3, 0.7, 0.9] {
        let (inside, long, rate) = observe(20, load, false);
        assert!((inside / (long * rate) - 1.0).abs() < 0.02, "{load}: {inside} {long} {rate}");
    }
}

/// The mean wait in a queue with exponential work, after Erlang.
fn erlang(slots: usize, load: f64) -> f64 {
    let offered = load * slots as f64;
    let mut blocked = 1.0;
    for number in 1..=slots {
        blocked = offered * blocked / (number as f64 + offered * blocked);
    }
    let waits = blocked / (1.0 - load * (1.0 - blocked));
    waits * 10.0 / (slots as f64 * (1.0 - load))
}

#[test]
fn slots_wait_as_erlang_says() {
    for (slots, load) in [(1, 0.5), (5, 0.8), (20, 0.9)] {
        let (_, long, _) = observe(slots, load, true);
        let (found, expected) = (long - 10.0, erlang(slots, load));
        assert!((found / expected - 1.0).abs() < 0.15, "{slots} {load}: {found} {expected}");
    }
}

#[test]
fn what_is_left_is_finished_or_gives_its_place_back() {
    let check = |cancels: bool, expected: u64, spent: f64| {
        let now = start();
        let config = slots::Config { slots: 1, cancels, ..Default::default() };
        let mut machine = Slots::new(config);
        machine.arrive(0, work(10.0), now).unwrap();
        machine.arrive(1, work(10.0), now).unwrap();
        machine.arrive(2, work(10.0), now).unwrap();
        machine.leave(1, now + SECOND);
        machine.advance(now + 4 * SECOND, &mut Vec::new());
        machine.leave(0, now + 4 * SECOND);
        let end = now + Duration::from_secs(expected);
        assert!(ended(&mut machine, end - SECOND / 1_000).is_empty());
        assert_eq!(ended(&mut machine, end), [2], "cancels: {cancels}");
        assert!((machine.spent() - spent).abs() < 1e-6, "{}", machine.spent());
    };
    check(false, 30, 30.0);
    check(true, 14, 14.0);
}

#[test]
fn a_slow_provider_that_is_well_again_is_quick_again() {
    let now = start();
    let mut machine = Slots::new(slots::Config::default());
    machine.arrive(0, work(10.0), now).unwrap();
    machine.change(Change::Slowness(10.0), now + 5 * SECOND);
    machine.change(Change::Slowness(1.0), now + 25 * SECOND);
    assert_eq!(machine.due(), Some(now + 28 * SECOND));
}

#[test]
fn room_that_is_gone_lets_nobody_begin() {
    let now = start();
    let config = slots::Config { slots: 4, most_waiting: Some(1), ..Default::default() };
    let mut machine = Slots::new(config);
    machine.change(Change::Room(0.25), now);
    machine.arrive(0, work(10.0), now).unwrap();
    machine.arrive(1, work(10.0), now).unwrap();
    assert_eq!(machine.arrive(2, work(10.0), now).unwrap_err().why, Why::Overloaded);
    assert_eq!((machine.busy(), machine.waiting()), (1, 1));
    machine.change(Change::Room(1.0), now);
    assert_eq!((machine.busy(), machine.waiting()), (2, 0));
}

/// Random calls at a quota, next to a list of all that was charged.
fn check_quota(window: quota::Window, counts_refused: bool, tells: bool) {
    let config = quota::Config {
        requests: 60,
        input: Some(600),
        window,
        counts_refused,
        tells,
        ..quota::Config::default()
    };
    let mut machine = Quota::new(config);
    let (mut random, began) = (Seeded(3), start());
    let mut now = began;
    let mut charged: Vec<(Instant, u64, u64)> = Vec::new();
    let mut refused = 0;
    for id in 0..3_000 {
        now += until_next(1.2, &mut random);
        let input = 1 + (random.unit() * 18.0) as u64;
        let sum = |since: Instant, pick: fn(&(Instant, u64, u64)) -> u64| -> u64 {
            charged.iter().filter(|charge| charge.0 > since).map(pick).sum()
        };
        let fits = match window {
            quota::Window::Sliding => {
                // Before there was a minute, nothing is a minute old.
                let since = now.checked_sub(MINUTE).unwrap_or(began);
                sum(since, |charge| charge.1) < 60 && sum(since, |charge| charge.2) + input <= 600
            }
            quota::Window::Continuous(burst) => {
                let left = |limit: f64, pick: fn(&(Instant, u64, u64)) -> u64| {
                    let (mut left, mut at) = (limit / 60.0 * burst.as_secs_f64(), began);
                    let most = left;
                    for charge in &charged {
                        let gone = (charge.0 - at).as_secs_f64();
                        left = (left + gone * limit / 60.0).min(most) - pick(charge) as f64;
                        left = left.max(0.0);
                        at = charge.0;
                    }
                    (left + (now - at).as_secs_f64() * limit / 60.0).min(most)
                };
                left(60.0, |charge| charge.1) >= 1.0 - 1e-9
                    && left(600.0, |charge| charge.2) >= input as f64 - 1e-9
            }
        };
        let found = machine.arrive(id, Job { input, ..work(5.0) }, now);
        assert_eq!(found.is_ok(), fits, "{id} {window:?}");
        if fits || counts_refused {
            charged.push((now, 1, input));
        }
        if let Err(refusal) = found {
            refused += 1;
            assert_eq!(refusal.after.is_some(), tells);
        }
    }
    assert!(refused > 100, "{refused}");
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_quota_is_what_a_list_of_all_calls_says() {
    check_quota(quota::Window::Sliding, false, true);
    check_quota(quota::Window::Sliding, true, false);
    check_quota(quota::Window::Continuous(10 * SECOND), false, true);
}

#[test]
fn who_comes_back_when_told_is_let_in() {
    for window in [quota::Window::Sliding, quota::Window::Continuous(10 * SECOND)] {
        let config = quota::Config { window, tells: true, ..quota::Config::default() };
        let (mut machine, mut now) = (Quota::new(config), start());
        let mut refusals = 0;
        for id in 0..400 {
            now += SECOND / 10;
            if let Err(refusal) = machine.arrive(id, work(1.0), now) {
                refusals += 1;
                let wait = refusal.after.unwrap();
                assert!(machine.arrive(id, work(1.0), now + wait - SECOND / 1_000_000).is_err());
                now += wait;
                assert!(machine.arrive(id, work(1.0), now).is_ok(), "{window:?} {wait:?}");
            }
        }
        assert!(refusals > 0, "{window:?}");
    }
}

#[test]
fn a_small_limit_lets_one_pass_at_once() {
    let window = quota::Window::Continuous(10 * SECOND);
    let config = quota::Config { requests: 2, window, tells: true, ..quota::Config::default() };
    let (mut machine, now) = (Quota::new(config), start());
    assert!(machine.arrive(0, work(1.0), now).is_ok());
    let told = Told { limit: 2, left: 0, reset: 30 * SECOND };
    assert_eq!(machine.told(now), Some(told));
    assert_eq!(machine.arrive(1, work(1.0), now).unwrap_err().after, Some(30 * SECOND));
    assert!(machine.arrive(2, work(1.0), now + 30 * SECOND).is_ok());
    // What came back meanwhile is no second one.
    let later = now + 600 * SECOND;
    assert!(machine.arrive(3, work(1.0), later).is_ok());
    assert!(machine.arrive(4, work(1.0), later).is_err());
}

#[test]
fn what_never_fits_is_told_no_wait() {
    let check = |window, requests, input| {
        let config = quota::Config {
            requests,
            input: Some(600),
            window,
            tells: true,
            ..quota::Config::default()
        };
        let refusal = Quota::new(config).arrive(0, Job { input, ..work(1.0) }, start());
        let refusal = refusal.unwrap_err();
        assert_eq!((refusal.why, refusal.after), (Why::RateLimit, None), "{window:?}");
    };
    check(quota::Window::Sliding, 60, 601);
    check(quota::Window::Sliding, 0, 1);
    check(quota::Window::Continuous(10 * SECOND), 60, 101);
    check(quota::Window::Continuous(10 * SECOND), 0, 1);
}

#[test]
fn a_batch_slows_down_as_it_fills() {
    let config = batcher::Config { prefill: 1, ..batcher::Config::default() };
    let job = Job { input: 10, output: 90, ..Job::default() };
    let check = |together: u64, expected: f64| {
        let (mut machine, now) = (Batcher::new(config), start());
        (0..together).for_each(|id| machine.arrive(id, job, now).unwrap());
        let mut at = now;
        while let Some(due) = machine.due() {
            at = due;
            let _told = told(&mut machine, due);
        }
        let took = (at - now).as_secs_f64();
        assert!((took - expected).abs() < 0.001, "{together}: {took}");
        assert!((machine.spent() - 100.0 * together as f64).abs() < 0.1, "{}", machine.spent());
    };
    check(1, 1.0);
    check(26, 2.0);
    // One too many: it waits for the 64 before it, and is alone then.
    check(65, 100.0 * 0.0352 + 1.0);
}

#[test]
fn a_stream_begins_before_it_ends_and_some_break() {
    let config = batcher::Config { breaks: 0.5, seed: 5, ..batcher::Config::default() };
    let (mut machine, mut now) = (Batcher::new(config), start());
    let (mut broken, mut done) = (0, 0);
    for id in 0..200 {
        machine.arrive(id, Job { input: 100, output: 50, ..Job::default() }, now).unwrap();
        now += 10 * SECOND;
        match told(&mut machine, now)[..] {
            [(_, Progress::First), (_, Progress::Broken)] => broken += 1,
            [(_, Progress::First), (_, Progress::Done { .. })] => done += 1,
            ref other => panic!("{other:?}"),
        }
    }
    assert!((70..130).contains(&broken) && broken + done == 200, "{broken}");
}

#[test]
fn an_overload_of_one_region_makes_work_in_the_other() {
    let region = slots::Config { slots: 2, ..Default::default() };
    let config = regions::Config { region, ..Default::default() };
    let (mut machine, now) = (Regions::new(config), start());
    for id in 0..6 {
        machine.arrive(id, Job { affinity: 0, ..work(10.0) }, now).unwrap();
    }
    // Two run and two wait at home; the others run elsewhere, for half as long again.
    assert_eq!(ended(&mut machine, now + 10 * SECOND), [0, 1]);
    let told = ended(&mut machine, now + 20 * SECOND);
    assert!(told.contains(&4) && told.contains(&5), "{told:?}");
    assert!((machine.spent() - 70.0).abs() < 1e-6, "{}", machine.spent());
}

#[test]
fn the_shell_keeps_time_wherever_somebody_waits() {
    let config = slots::Config { slots: 1, ..Default::default() };
    let provider = Capacity::start(Slots::new(config));
    let mut place = provider.ask(work(3_600.0)).unwrap();
    // The first runtime ends with its driver.
    for waits in [1, 2] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let waited = runtime.block_on(async {
            tokio::time::timeout(SECOND / 1_000, poll_fn(|cx| place.poll_next(cx))).await
        });
        assert!(waited.is_err(), "{waits}");
    }
    provider.change(Change::Slowness(1e-6));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(place.next()), Progress::First);
    assert_eq!(provider.inspect(Slots::busy), 0);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_happens_in_time() {
    let provider = Capacity::start(Slots::new(slots::Config::default()));
    let _place = provider.ask(work(3.0)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(provider.inspect(Slots::busy), 1);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(provider.inspect(Slots::busy), 0);
}

#[tokio::test(start_paused = true)]
async fn the_shell_tells_everybody_in_time_and_cancels_who_leaves() {
    let config = slots::Config { slots: 1, cancels: true, ..Default::default() };
    let provider = Capacity::start(Slots::new(config));
    let begin = tokio::time::Instant::now();
    let mut first = provider.ask(work(3.0)).unwrap();
    let second = provider.ask(work(100.0)).unwrap();
    let mut third = provider.ask(work(2.0)).unwrap();
    assert_eq!(first.next().await, Progress::First);
    assert_eq!(first.next().await, Progress::Done { cost: 3.0 });
    assert_eq!(begin.elapsed(), 3 * SECOND);
    drop(second);
    assert_eq!(third.next().await, Progress::First);
    assert_eq!(begin.elapsed(), 5 * SECOND);
    drop(third);
    assert_eq!(provider.inspect(Slots::busy), 0);
    provider.change(Change::Flood(true));
    assert_eq!(provider.ask(work(1.0)).unwrap_err().why, Why::RateLimit);
}
