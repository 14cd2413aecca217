//! What holds whatever comes when.

use std::collections::HashMap;

use proptest::{collection::vec, prelude::*};

use super::*;

/// One call of a schedule.
#[derive(Clone, Debug)]
struct Planned {
    /// How long after the one before it.
    pause: u64,
    /// How long it may take.
    time: u64,
    /// When its caller goes away.
    leaves: Option<u64>,
}

/// One answer of a schedule.
#[derive(Clone, Debug)]
struct Reply {
    takes: u64,
    says: Says,
}

#[derive(Clone, Copy, Debug)]
enum Says {
    Yes,
    Wait(u64),
    WaitInBody(u64),
    No,
    Overloaded(u64),
}

fn planned() -> impl Strategy<Value = Planned> {
    (1..1500_u64, 1..40_000_u64, proptest::option::weighted(0.2, 1..20_000_u64))
        .prop_map(|(pause, time, leaves)| Planned { pause, time, leaves })
}

fn reply() -> impl Strategy<Value = Reply> {
    let says = prop_oneof![
        6 => Just(Says::Yes),
        2 => (1..15_u64).prop_map(Says::Wait),
        1 => (1..15_u64).prop_map(Says::WaitInBody),
        1 => Just(Says::No),
        1 => (1..15_u64).prop_map(Says::Overloaded),
    ];
    (0..2000_u64, says).prop_map(|(takes, says)| Reply { takes, says })
}

fn answer(reply: &Reply) -> Answer {
    let answer = match reply.says {
        Says::Yes => Answer::ok(),
        Says::Wait(seconds) => hinted(seconds),
        Says::WaitInBody(seconds) => Answer::new(
            429,
            &format!(r#"{{"error":{{"type":"requests","message":"try again in {seconds}s"}}}}"#),
        ),
        Says::No => Answer::error(429, "rate_limit_exceeded"),
        Says::Overloaded(seconds) => {
            Answer::error(503, "overloaded").header("retry-after", &seconds.to_string())
        }
    };
    answer.header("x-hint", &hint(reply.says).to_string()).head_after(milliseconds(reply.takes))
}

/// The wait that is told, in seconds.
fn hint(says: Says) -> u64 {
    match says {
        Says::Wait(seconds) | Says::WaitInBody(seconds) | Says::Overloaded(seconds) => seconds,
        Says::Yes | Says::No => 0,
    }
}

fn milliseconds(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// How a call went.
#[derive(Debug)]
struct Went {
    began: Duration,
    ended: Duration,
    end: End,
}

#[derive(Debug, PartialEq)]
enum End {
    Answered,
    Late,
    Left,
}

/// How everything went.
#[derive(Debug, Default)]
struct Played {
    calls: HashMap<usize, Went>,
    /// In their order: which call, and when.
    arrivals: Vec<(usize, Duration)>,
    /// When a wait was told, and until when.
    floors: Vec<(Duration, Duration)>,
    still_waiting: usize,
}

fn play(plan: Vec<Planned>, replies: &[Reply], seed: u64) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let layer = RetryAfterLayer::new(Config::default())
            .unwrap()
            .patience(Lane::Interactive, Duration::MAX)
            .seed(seed);
        let provider = Provider::new(replies.iter().map(answer));
        let started = Instant::now();
        let floors = Arc::new(Mutex::new(Vec::new()));
        let mut calls = Vec::new();
        for (number, planned) in plan.into_iter().enumerate() {
            tokio::time::sleep(milliseconds(planned.pause)).await;
            let mut request = within(milliseconds(planned.time));
            request.headers_mut().insert("x-number", number.into());
            let (service, floors) = (layer.layer(provider.clone()), floors.clone());
            let began = started.elapsed();
            calls.push(tokio::spawn(async move {
                let call = async {
                    let Ok(response) = service.oneshot(request).await else { return End::Late };
                    let hint = response.headers()["x-hint"].to_str().unwrap().parse().unwrap();
                    let _ = text(response).await;
                    let told = started.elapsed();
                    floors.lock().unwrap().push((told, told + Duration::from_secs(hint)));
                    End::Answered
                };
                let leaves = planned.leaves.map_or(Duration::MAX, milliseconds);
                let end = tokio::time::timeout(leaves, call).await.unwrap_or(End::Left);
                (number, Went { began, ended: started.elapsed(), end })
            }));
        }
        let mut played = Played::default();
        for call in calls {
            let (number, went) = call.await.unwrap();
            played.calls.insert(number, went);
        }
        played.arrivals = provider
            .arrived()
            .iter()
            .map(|arrived| {
                let number = arrived.headers["x-number"].to_str().unwrap().parse().unwrap();
                (number, arrived.at - started)
            })
            .collect();
        played.floors = std::mem::take(&mut *floors.lock().unwrap());
        played.still_waiting = layer.gates().waiting();
        played
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn r2_no_call_leaves_before_a_hint(
        plan in vec(planned(), 1..60),
        replies in vec(reply(), 1..20),
        seed: u64,
    ) {
        let played = play(plan, &replies, seed);
        for (number, at) in &played.arrivals {
            for (told, until) in &played.floors {
                prop_assert!(at <= told || at >= until, "{number} at {at:?}: {told:?} {until:?}");
            }
        }
    }

    #[test]
    fn l5_who_comes_first_leaves_first(
        plan in vec(planned(), 1..60),
        replies in vec(reply(), 1..20),
        seed: u64,
    ) {
        let played = play(plan, &replies, seed);
        prop_assert!(played.arrivals.is_sorted_by_key(|(number, _)| *number), "{played:?}");
    }

    #[test]
    fn g8_who_waits_leaves_or_fails_in_time(
        plan in vec(planned(), 1..60),
        replies in vec(reply(), 1..20),
        seed: u64,
    ) {
        let played = play(plan.clone(), &replies, seed);
        prop_assert_eq!(played.still_waiting, 0);
        let arrivals: HashMap<_, _> = played.arrivals.iter().copied().collect();
        let mut at_the_last = 0;
        for (number, planned) in plan.iter().enumerate() {
            let went = &played.calls[&number];
            let limit = went.began + milliseconds(planned.time);
            if let Some(arrived) = arrivals.get(&number) {
                prop_assert!(*arrived < limit);
            } else {
                prop_assert!(went.end != End::Answered);
                prop_assert!(went.ended <= limit, "{number}: {went:?}");
                at_the_last += usize::from(went.end == End::Late && went.ended == limit);
            }
        }
        // Who is too late is told so before. A timer is up to a millisecond late, so that a turn
        // just before a limit can be missed; but not again and again.
        prop_assert!(at_the_last <= 2, "{played:?}");
    }

    #[test]
    fn g1_who_leaves_gives_its_place_back(leaving in vec((1..9000_u64, any::<bool>()), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (layer, provider, started) = (layer(), Provider::new([Answer::ok()]), Instant::now());
            layer.gates().shut(&key(), 10 * SECOND);
            let mut calls = Vec::new();
            for (leaves, stays) in &leaving {
                let call = begin(&layer, &provider, request(), started).await;
                calls.push((milliseconds(*leaves), *stays, call));
            }
            calls.sort_by_key(|(leaves, ..)| *leaves);
            for (leaves, stays, call) in calls {
                tokio::time::sleep_until(started + leaves).await;
                if !stays {
                    call.abort();
                }
            }
            tokio::time::sleep_until(started + 100 * SECOND).await;
            // As if those who left had never been there.
            let expected = (0..leaving.iter().filter(|(_, stays)| *stays).count())
                .map(|place| {
                    let at = 10.0 + (place as f64 + 1.0).log2();
                    (at * 1000.0).ceil() as u128
                });
            let found = arrivals(&provider, started);
            prop_assert!(
                found.iter().copied().zip(expected.clone()).all(|(at, due)| at.abs_diff(due) <= 1),
                "{found:?}"
            );
            prop_assert_eq!((found.len(), layer.gates().waiting()), (expected.len(), 0));
            Ok(())
        })?;
    }
}
