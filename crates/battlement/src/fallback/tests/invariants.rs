//! Promises with an id; see docs/invariants.md.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    breaker::{BreakerLayer, Config},
    call::Key,
};

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Routes with these scripts, each a stack, or the bare provider.
fn routes(scripts: &[(String, bool)]) -> (Vec<Provider>, FallbackLayer<Full<Bytes>>, Provider) {
    let providers: Vec<_> = scripts.iter().map(|(script, _)| provider(script)).collect();
    // The one that the layer is laid over is never asked, so that all may be bare.
    let unused = provider("+");
    let mut builder = FallbackLayer::builder(Route::new("unused").off());
    for (number, (provider, (_, is_bare))) in providers.iter().zip(scripts).enumerate() {
        let route = Route::new(number.to_string());
        builder = if *is_bare {
            builder.route(route, provider.clone())
        } else {
            builder.route(route, stack().layer(provider.clone()))
        };
    }
    (providers, builder.build().unwrap(), unused)
}

#[tokio::test(start_paused = true)]
async fn r5_what_may_not_be_repeated_goes_to_another_route_only_if_nothing_was_sent() {
    for (script, calls) in
        [("5", [1, 0]), ("q", [1, 0]), ("d", [1, 0]), ("s", [1, 0]), ("u", [1, 1])]
    {
        let case = Case::new(provider(script), provider("+"));
        let mut once = request();
        once.extensions_mut().insert(Options::default().repeatable(false));
        let _answer = case.call(once).await;
        assert_eq!(case.calls(), calls, "{script}: {:?}", case.told.events());
        case.at_rest();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn g6_attempts_on_all_routes_stay_within_the_account(
        scripts in vec(("[+5o4hHqkcbfexdus]{1,4}", any::<bool>()), 1..6),
        attempts in 1..7_u32,
    ) {
        run(async {
            let (providers, layer, unused) = routes(&scripts);
            let told = Told::default();
            let service = layer.layer(unused.clone());
            let mut limited = request();
            // A bare route may be silent for as long as it likes.
            limited.extensions_mut().insert(Options::default().attempts(attempts).time(100 * SECOND));
            let service = crate::deadline::DeadlineLayer::new().layer(service);
            let service = told.layer().layer(service);
            let answer = service.oneshot(limited).await;
            let is_ok = answer.is_ok();
            if let Ok(response) = answer {
                let _whole_or_not = text(response).await;
            }
            let made: usize = providers.iter().map(|provider| provider.arrived().len()).sum();
            prop_assert!(made >= 1 && made <= attempts as usize, "{made} {:?}", told.events());
            prop_assert!(unused.arrived().is_empty());
            let call = told.call();
            prop_assert!(call.attempts() as usize >= made, "all are in the account");
            prop_assert_eq!(call.ledger().running(), 0, "{} {:?}", is_ok, told.events());
            prop_assert!(providers.iter().all(|provider| provider.alive() == 0));
            let at_rest = layer.handle().snapshot().iter().all(|route| route.in_flight == 0);
            prop_assert!(at_rest);
            Ok(())
        })?;
    }

    #[test]
    fn f1_what_goes_down_is_of_one_route_and_after_output_there_is_no_other(
        words in vec(0..4_usize, 1..5),
        bare in vec(any::<bool>(), 4..5),
        attempts in 1..9_u32,
    ) {
        run(async {
            // Each route says so many words of its own, and breaks.
            let word = |route: usize, number: usize| format!("w{route}.{number}");
            let providers: Vec<_> = words
                .iter()
                .enumerate()
                .map(|(route, &words)| {
                    let words: Vec<_> = (0..words).map(|number| word(route, number)).collect();
                    Provider::new([cut(&words.iter().map(|word| &**word).collect::<Vec<_>>())])
                })
                .collect();
            let mut builder = FallbackLayer::builder(Route::new("unused").off());
            for (route, provider) in providers.iter().enumerate() {
                let name = Route::new(route.to_string());
                builder = if bare[route] {
                    builder.route(name, provider.clone())
                } else {
                    builder.route(name, stack().layer(provider.clone()))
                };
            }
            let service = builder.build().unwrap().layer(provider("+"));
            let mut request = stream_request();
            request.extensions_mut().insert(Options::default().attempts(attempts));
            let mut delivered = String::new();
            let mut whole = false;
            if let Ok(response) = service.oneshot(request).await {
                let mut body = response.into_body();
                whole = true;
                while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
                    match frame {
                        Ok(frame) => delivered += &String::from_utf8_lossy(frame.data_ref().unwrap()),
                        Err(_) => whole = false,
                    }
                }
            }
            prop_assert!(!whole, "each is cut, and the caller is told");
            let of = |route: usize| delivered.contains(&format!("w{route}."));
            let served = (0..words.len()).filter(|&route| of(route)).count();
            prop_assert!(served <= 1, "{delivered}");
            if let Some(route) = (0..words.len()).find(|&route| of(route)) {
                prop_assert!(words[..route].iter().all(|&words| words == 0));
                let later = providers[route + 1..].iter();
                prop_assert!(later.clone().all(|provider| provider.arrived().is_empty()));
                let expected: String =
                    (0..words[route]).map(|number| delta(&word(route, number))).collect();
                prop_assert_eq!(delivered, expected + ": ping\n\n");
            }
            Ok(())
        })?;
    }

    #[test]
    fn f2_a_route_whose_circuit_is_open_is_not_called(open in vec(any::<bool>(), 1..6)) {
        run(async {
            let key = Key { name: Some("gpt-5-mini".into()), ..Key::new(OpenAi) };
            let mut builder = FallbackLayer::builder(Route::new("unused").off());
            let providers: Vec<_> = open.iter().map(|_| provider("q")).collect();
            for (number, (provider, &is_open)) in providers.iter().zip(&open).enumerate() {
                let breaker = BreakerLayer::new(Config::default()).unwrap();
                if is_open {
                    breaker.circuits().open(&key, None);
                }
                let service = stack().breaker(breaker).layer(provider.clone());
                builder = builder.route(Route::new(number.to_string()), service);
            }
            let service = builder.build().unwrap().layer(provider("+"));
            let before = Instant::now();
            let answer = service.oneshot(request()).await;
            prop_assert_eq!(before.elapsed(), Duration::ZERO, "nobody waits for it");
            let mut left = 3_usize;
            for (provider, &is_open) in providers.iter().zip(&open) {
                // Those that are closed are asked, as long as there are attempts.
                let expected = usize::from(!is_open && left > 0);
                left -= expected;
                prop_assert_eq!(provider.arrived().len(), expected);
            }
            let all_open = open.iter().all(|is_open| *is_open);
            match answer {
                Ok(response) => prop_assert_eq!(response.status(), 429),
                Err(error) => {
                    prop_assert_eq!(Error::from(error).code(), Code::CircuitOpen);
                }
            }
            prop_assert_eq!(left == 3, all_open);
            Ok(())
        })?;
    }
}
