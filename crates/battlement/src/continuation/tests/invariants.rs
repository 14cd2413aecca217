//! Promises with an id; see docs/invariants.md.

use proptest::{collection::vec, prelude::*};

use super::*;

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// One letter of a script.
fn answer(letter: char) -> Answer {
    match letter {
        'l' => stream(&["la "], "length"),
        '+' => stream(&["la ", "da"], "stop"),
        'c' => cut(&["la "]),
        'x' => cut(&[]),
        '4' => Answer::error(400, "invalid_request_error"),
        '5' => Answer::error(503, "overloaded"),
        _ => Answer::failing(),
    }
}

fn provider(script: &str) -> Provider {
    Provider::new(script.chars().map(answer))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn g6_rounds_retries_and_routes_stay_within_the_account(
        first in "[l+cx45d]{1,5}",
        second in "[l+cx45d]{1,5}",
        attempts in 1..7_u32,
        has_retry in any::<bool>(),
        rounds in 0..5_u32,
    ) {
        run(async {
            let (first, second) = (provider(&first), provider(&second));
            let layer = ContinuationLayer::new().cuts().rounds(rounds);
            let mut request = asked(&stream_body());
            request.extensions_mut().insert(Options::default().attempts(attempts));
            let (call, told) = log();
            let route = Route::new("second");
            let outer = ServiceBuilder::new().layer(call).layer(layer);
            let came = if has_retry {
                let on_route = || ServiceBuilder::new().layer(RetryLayer::new().seed(1)).layer(FinishLayer::new());
                let routes = FallbackLayer::builder("first").route(route, on_route().service(second.clone())).build().unwrap();
                let service = outer.layer(routes).service(on_route().service(first.clone()));
                came(service.oneshot(request).await, &told).await
            } else {
                let routes = FallbackLayer::builder("first").route(route, second.clone()).build().unwrap();
                let service = outer.layer(routes).service(first.clone());
                came(service.oneshot(request).await, &told).await
            };
            let sent = first.arrived().len() + second.arrived().len();
            prop_assert!(sent as u32 <= attempts, "{sent} of {attempts}: {:?}", came.told);
            prop_assert_eq!((first.alive(), second.alive()), (0, 0));
            Ok(())
        })?;
    }

    #[test]
    fn g7_no_round_begins_that_the_tokens_of_the_call_do_not_allow(
        script in "[lc]{1,5}",
        tokens in 1..40_u64,
    ) {
        run(async {
            let case = Case::new(script.chars().map(answer))
                .with(|layer| layer.cuts().rounds(9).tokens(tokens));
            let mut request = asked(&stream_body());
            request.extensions_mut().insert(Options::default().attempts(10));
            let came = case.call(request).await;
            // A round at its limit tells of four; one that broke off is thought to have had one at least.
            let sent = case.bodies().len() as u64;
            prop_assert!(sent <= 1 + tokens, "{sent} of {tokens}: {:?}", came.told);
            if script == "l" {
                prop_assert_eq!(sent, tokens.div_ceil(4).min(10), "one overrun and no more");
            }
            Ok(())
        })?;
    }

    #[test]
    fn k3_what_the_caller_gets_is_one_answer_or_ends_with_an_error(
        rounds in vec("[lc+5]", 1..5),
    ) {
        run(async {
            let script: String = rounds.concat();
            let case = Case::new(script.chars().map(answer)).with(|layer| layer.cuts().rounds(9));
            let mut request = asked(&stream_body());
            request.extensions_mut().insert(Options::default().attempts(10));
            let came = case.call(request).await;
            let Ok(body) = &came.body else { return Ok(()) };
            if came.head.as_ref().unwrap().status().is_success() {
                prop_assert_eq!(body.matches("[DONE]").count(), 1, "{}", body);
                prop_assert_eq!(body.matches("\"finish_reason\":\"").count(), 1, "{}", body);
                prop_assert!(body.ends_with(DONE));
                let verdict = came.attempt().verdict().unwrap();
                prop_assert!(matches!(verdict.outcome, Outcome::Finished(_)));
            }
            Ok(())
        })?;
    }
}
