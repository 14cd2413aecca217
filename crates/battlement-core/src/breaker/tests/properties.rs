use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::*;

/// What may happen to a breaker. An index picks among the calls that are out.
#[derive(Clone, Copy, Debug)]
enum Step {
    Admit,
    FirstContent(usize),
    Slow(usize),
    Settle(usize, Health),
    /// The ticket is dropped without a word, as it should not be.
    Lose(usize),
    Advance(u64),
    Open,
    Close,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    let health = prop_oneof![
        3 => Just(Health::Bad),
        2 => Just(Health::Good),
        1 => Just(Health::Neutral),
    ];
    prop_oneof![
        12 => Just(Step::Admit),
        3 => any::<usize>().prop_map(Step::FirstContent),
        3 => any::<usize>().prop_map(Step::Slow),
        10 => (any::<usize>(), health).prop_map(|(which, health)| Step::Settle(which, health)),
        1 => any::<usize>().prop_map(Step::Lose),
        5 => (0..4000_u64).prop_map(Step::Advance),
    ]
}

fn step_or_hand() -> impl Strategy<Value = Step> {
    let hand = proptest::sample::select(vec![Step::Open, Step::Close, Step::Reset]);
    prop_oneof![30 => step(), 1 => hand]
}

fn any_config() -> impl Strategy<Value = Config> {
    (1..4_u32, 1..4_u32, 0..6_u32, 0..8000_u64, 0.0..1.0_f64, 0.2..0.8_f64).prop_map(
        |(probes, good_probes, streak, ramp, jitter, threshold)| Config {
            threshold,
            confidence: 0.9,
            half_life: 4 * SECOND,
            streak: NonZeroU32::new(streak),
            open: OpenTime { jitter, ..config().open },
            probes: number(probes),
            good_probes: number(good_probes),
            ramp: Duration::from_millis(ramp),
            ..config()
        },
    )
}

/// A breaker, and all of the calls that are out.
struct World {
    config: Config,
    breaker: Breaker,
    now: Instant,
    random: Seeded,
    out: Vec<Ticket>,
}

/// What a step did.
#[derive(Clone, Copy, Debug)]
enum Did {
    Nothing,
    Admitted,
    Rejected,
    /// The call of that generation spoke: for the first time?
    Spoke {
        generation: u64,
        first: bool,
        sign: Option<Sign>,
    },
    ByHand,
}

impl Did {
    fn was_admitted(self) -> bool {
        matches!(self, Self::Admitted)
    }
}

impl World {
    fn new(config: Config) -> Self {
        let now = start();
        let breaker = Breaker::new(config, now).unwrap();
        Self { config, breaker, now, random: Seeded(3), out: Vec::new() }
    }

    fn snapshot(&self) -> Snapshot {
        self.breaker.snapshot(self.now)
    }

    fn play(&mut self, step: Step) -> Did {
        let Self { breaker, now, random, out, .. } = self;
        let pick = |which: usize| which.checked_rem(out.len());
        match step {
            Step::Admit => match breaker.admit(*now, random) {
                Ok(ticket) => {
                    out.push(ticket);
                    return Did::Admitted;
                }
                Err(_) => return Did::Rejected,
            },
            Step::FirstContent(which) | Step::Slow(which) => {
                let Some(which) = pick(which) else { return Did::Nothing };
                let ticket = &mut out[which];
                let said = ticket.said.map(|(sign, _)| sign);
                let sign = if let Step::Slow(_) = step {
                    breaker.slow(ticket, *now, random);
                    Sign::Bad
                } else {
                    breaker.first_content(ticket, *now, random);
                    Sign::Good
                };
                let changed = (said != Some(sign)).then_some(sign);
                let generation = ticket.generation;
                return Did::Spoke { generation, first: said.is_none(), sign: changed };
            }
            Step::Settle(which, health) => {
                let Some(which) = pick(which) else { return Did::Nothing };
                let ticket = out.swap_remove(which);
                let said = ticket.said.map(|(sign, _)| sign);
                let sign = match health {
                    Health::Good => Some(Sign::Good),
                    Health::Bad => Some(Sign::Bad),
                    Health::Neutral => None,
                };
                let changed = sign.filter(|sign| said != Some(*sign));
                let generation = ticket.generation;
                breaker.settle(ticket, health, *now, random);
                return Did::Spoke { generation, first: said.is_none(), sign: changed };
            }
            Step::Lose(which) => {
                let Some(which) = pick(which) else { return Did::Nothing };
                drop(out.swap_remove(which));
            }
            Step::Advance(milliseconds) => *now += Duration::from_millis(milliseconds),
            Step::Open => {
                breaker.open(None);
                return Did::ByHand;
            }
            Step::Close => {
                breaker.close(*now);
                return Did::ByHand;
            }
            Step::Reset => {
                breaker.reset(*now);
                return Did::ByHand;
            }
        }
        Did::Nothing
    }

    /// Until when a circuit that is not meddled with may refuse calls.
    fn patience(&self) -> Duration {
        (self.config.open.longest + self.config.half_open_max_age).max(self.config.ramp)
    }
}

proptest! {
    #[test]
    fn c1_never_more_probes_than_allowed(config in any_config(), steps in vec(step_or_hand(), 0..300)) {
        let mut world = World::new(config);
        let (mut generation, mut undecided) = (0, 0);
        for step in steps {
            let did = world.play(step);
            let snapshot = world.snapshot();
            if snapshot.generation != generation {
                (generation, undecided) = (snapshot.generation, 0);
            }
            match did {
                Did::Admitted => undecided += 1,
                Did::Spoke { generation: of, first: true, .. } if of == generation => undecided -= 1,
                _ => {}
            }
            if snapshot.mode == Mode::HalfOpen {
                prop_assert!(undecided <= config.probes.get(), "{undecided}");
            }
            prop_assert_eq!(snapshot.undecided, undecided);
        }
    }

    #[test]
    fn c2_other_generations_move_nothing(config in any_config(), steps in vec(step_or_hand(), 0..300)) {
        let mut world = World::new(config);
        for step in steps {
            let before = world.snapshot();
            if let Did::Spoke { generation, .. } = world.play(step) {
                if generation != before.generation {
                    prop_assert_eq!(world.snapshot(), before);
                }
            }
        }
    }

    #[test]
    fn c3_traffic_resumes_when_the_provider_is_well(
        config in any_config(),
        steps in vec(step(), 0..200),
    ) {
        let mut world = World::new(config);
        for step in steps {
            world.play(step);
        }
        // From here on every call that is made turns out well at once; those that are out are lost.
        let lost = world.now;
        let closed_by = lost + world.patience() + config.ramp;
        let mut answered = false;
        while world.now <= closed_by {
            if world.breaker.mode() == Mode::Closed && world.snapshot().allowed.is_none() && answered {
                break;
            }
            if let Ok(ticket) = world.breaker.admit(world.now, &mut world.random) {
                answered = true;
                world.breaker.settle(ticket, Health::Good, world.now, &mut world.random);
            }
            prop_assert!(answered || world.now <= lost + world.patience());
            world.now += Duration::from_millis(50);
        }
        prop_assert!(answered);
        prop_assert_eq!(world.breaker.mode(), Mode::Closed);
    }

    #[test]
    fn c4_opens_only_on_what_a_list_of_results_shows(
        config in any_config(),
        steps in vec(step(), 0..300),
    ) {
        let mut world = World::new(config);
        let mut book = Book::default();
        for step in steps {
            let before = world.snapshot();
            let which = match step {
                Step::FirstContent(which) | Step::Slow(which) | Step::Settle(which, _) => {
                    which.checked_rem(world.out.len()).map(|which| world.out[which].said)
                }
                _ => None,
            };
            let did = world.play(step);
            if before.generation != book.generation {
                book = Book { generation: before.generation, ..Book::default() };
            }
            let Did::Spoke { generation, sign: Some(sign), first } = did else { continue };
            if generation != before.generation || before.mode != Mode::Closed {
                continue;
            }
            if let Some(Some((said, booked))) = which {
                book.strike(said, booked);
            }
            book.results.push((world.now, sign));
            book.streak = if sign == Sign::Bad { book.streak + 1 } else { 0 };
            let undecided = before.undecided - u32::from(first);
            let tail = book.tail(&config, undecided, world.now);
            let row = config.streak.is_some_and(|limit| book.streak >= limit.get())
                && book.streak > undecided;
            let opened = world.breaker.mode() == Mode::Open;
            // What both compute in different ways may differ at the edge.
            if sign == Sign::Good {
                prop_assert!(!opened);
            } else if (tail - config.confidence).abs() > 1e-4 || row {
                let is_above = book.share(&config, undecided, world.now) > config.threshold;
                prop_assert_eq!(opened, row || (is_above && tail >= config.confidence), "{}", tail);
            }
        }
    }

    #[test]
    fn c5_what_says_nothing_counts_nothing(config in any_config(), steps in vec(step(), 0..200)) {
        let mut world = World::new(config);
        for step in steps {
            world.play(step);
            let before = world.snapshot();
            let mode = world.breaker.mode();
            if let Ok(ticket) = world.breaker.admit(world.now, &mut world.random) {
                let was_probing = mode == Mode::HalfOpen && before.until > Some(world.now);
                world.breaker.settle(ticket, Health::Neutral, world.now, &mut world.random);
                let after = world.snapshot();
                prop_assert_eq!(
                    (after.good, after.bad, after.streak, after.trips),
                    (before.good, before.bad, before.streak, before.trips)
                );
                if was_probing || mode == Mode::Closed {
                    prop_assert_eq!(after, before);
                }
            }
        }
    }

    #[test]
    fn c6_an_open_circuit_lets_nobody_through(config in any_config(), steps in vec(step_or_hand(), 0..300)) {
        let mut world = World::new(config);
        for step in steps {
            let before = world.snapshot();
            let did = world.play(step);
            if before.mode == Mode::Open && before.until.is_none_or(|until| world.now < until) {
                prop_assert!(!did.was_admitted());
            }
        }
    }

    #[test]
    fn c7_a_probe_given_up_gives_its_place_back(
        config in any_config(),
        given_up in 1..20_usize,
        late in 0..10_000_u64,
    ) {
        let mut world = World::new(config);
        world.breaker.open(Some(world.now));
        for _ in 0..given_up {
            let probes: Vec<_> = (0..config.probes.get())
                .map(|_| world.breaker.admit(world.now, &mut world.random).unwrap())
                .collect();
            prop_assert!(world.breaker.admit(world.now, &mut world.random).is_err());
            world.now += Duration::from_millis(late);
            for probe in probes {
                world.breaker.settle(probe, Health::Neutral, world.now, &mut world.random);
            }
            prop_assert_eq!(world.breaker.mode(), Mode::HalfOpen);
            prop_assert_eq!(world.snapshot().undecided, 0);
            prop_assert_eq!(world.snapshot().good_probes, 0);
        }
    }

    #[test]
    fn c8_transitions_are_legal_and_counted(config in any_config(), steps in vec(step_or_hand(), 0..300)) {
        let mut world = World::new(config);
        for step in steps {
            let before = world.snapshot();
            let did = world.play(step);
            let after = world.snapshot();
            let passed = after.generation - before.generation;
            if matches!(did, Did::ByHand) {
                prop_assert_eq!(passed, 1);
                continue;
            }
            prop_assert!(passed <= 1);
            match (before.mode, after.mode) {
                (Mode::Closed, Mode::Open)
                | (Mode::Open, Mode::HalfOpen)
                | (Mode::HalfOpen, Mode::Open | Mode::Closed) => prop_assert_eq!(passed, 1),
                // Half-open may begin anew, when nobody is waited for.
                (Mode::HalfOpen, Mode::HalfOpen) => {}
                (same, mode) => prop_assert_eq!((passed, same), (0, mode)),
            }
        }
    }

    #[test]
    fn g3_a_clock_that_jumps_does_no_harm(
        config in any_config(),
        steps in vec((step_or_hand(), -100_000..100_000_i64), 0..200),
    ) {
        let mut world = World::new(config);
        let middle = world.now + Duration::from_secs(200);
        for (step, offset) in steps {
            let offset = middle.checked_add(Duration::from_millis(offset.unsigned_abs()))
                .filter(|_| offset > 0)
                .or_else(|| middle.checked_sub(Duration::from_millis(offset.unsigned_abs())));
            world.now = offset.unwrap_or(middle);
            let before = world.breaker.snapshot(world.now);
            let did = world.play(step);
            let after = world.breaker.snapshot(world.now);
            prop_assert!(after.good.is_finite() && after.good >= 0.0);
            prop_assert!(after.bad.is_finite() && after.bad >= 0.0);
            if before.mode == Mode::Open && before.until.is_none_or(|until| world.now < until) {
                prop_assert!(!did.was_admitted());
            }
        }
    }

    #[test]
    fn no_two_circuits_share_a_generation(keys in vec(0..20_u32, 0..300)) {
        let (now, mut random) = (start(), Seeded(1));
        let mut breakers: Registry<u32> = Registry::new(config(), number(4)).unwrap();
        let mut seen = BTreeSet::new();
        let mut last = std::collections::BTreeMap::new();
        for key in keys {
            let known = breakers.snapshot(&key, now).map(|known| known.generation);
            let ticket = breakers.admit(&key, now, &mut random).unwrap();
            if known.is_none() {
                prop_assert!(seen.insert(ticket.generation));
            } else {
                prop_assert_eq!(known, last.get(&key).copied());
            }
            last.insert(key, ticket.generation);
            breakers.settle(&key, ticket, Health::Good, now, &mut random);
            prop_assert!(breakers.len() <= 4);
        }
    }
}

/// All results of one generation, as a list: the slow way to count.
#[derive(Debug, Default)]
struct Book {
    generation: u64,
    results: Vec<(Instant, Sign)>,
    streak: u32,
}

impl Book {
    fn strike(&mut self, sign: Sign, booked: Instant) {
        let place = self.results.iter().position(|entry| *entry == (booked, sign)).unwrap();
        self.results.remove(place);
    }

    fn weight(&self, sign: Sign, config: &Config, now: Instant) -> f64 {
        let age = |at: Instant| (now - at).as_secs_f64() / config.half_life.as_secs_f64();
        let of_sign = self.results.iter().filter(|(_, of)| *of == sign);
        of_sign.map(|(at, _)| 0.5_f64.powf(age(*at))).sum()
    }

    fn share(&self, config: &Config, undecided: u32, now: Instant) -> f64 {
        let bad = self.weight(Sign::Bad, config, now);
        bad / (bad + self.weight(Sign::Good, config, now) + f64::from(undecided))
    }

    /// The area under the density of `Beta` above the threshold, by Simpson's rule.
    fn tail(&self, config: &Config, undecided: u32, now: Instant) -> f64 {
        let bad = self.weight(Sign::Bad, config, now);
        let good = self.weight(Sign::Good, config, now) + f64::from(undecided);
        let density = |x: f64| x.powf(bad) * (1.0 - x).powf(good);
        let area = |from: f64, to: f64| {
            let steps = 400;
            let width = (to - from) / f64::from(steps);
            let inner = |step: u32| density(from + f64::from(step) * width);
            let odd: f64 = (1..steps).step_by(2).map(inner).sum();
            let even: f64 = (2..steps).step_by(2).map(inner).sum();
            (density(from) + 4.0 * odd + 2.0 * even + density(to)) * width / 3.0
        };
        let above = area(config.threshold, 1.0);
        above / (area(0.0, config.threshold) + above)
    }
}
