//! Promises with an id; see docs/invariants.md.

use battlement_core::Provider::OpenAi;
use proptest::{collection::vec, prelude::*};
use tower::{Service, ServiceBuilder};

use super::*;
use crate::{
    breaker::BreakerLayer, call::Key, concurrency::ConcurrencyLayer, finish::FinishLayer,
    retry::RetryLayer,
};

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// How an attempt goes, by a letter; its word is its place in the script.
fn attempt(letter: char, word: &str, wait: u32) -> Answer {
    let head = wait * SECOND;
    match letter {
        '+' => says(&[word, "!"], 0, wait),
        'h' => says(&[word, "!"], wait, 0),
        '5' => Answer::error(503, word).head_after(head),
        'H' => Answer::error(500, word).head_after(head).then_hang(),
        'd' => Answer::failing().head_after(head),
        'x' => Answer::streaming(vec![Piece::Wait(head), Piece::Break]),
        _ => Answer::streaming(vec![
            Piece::Wait(head),
            Piece::Bytes(delta(word)),
            Piece::Wait(SECOND),
            Piece::Break,
        ]),
    }
}

fn script() -> impl Strategy<Value = Vec<Answer>> {
    let one = (prop::sample::select("+h5Hdxc".chars().collect::<Vec<_>>()), 0..8_u32);
    vec(one, 1..6).prop_map(|attempts| {
        let named = attempts.into_iter().enumerate();
        named.map(|(at, (letter, wait))| attempt(letter, &format!("w{at}."), wait)).collect()
    })
}

/// What goes down, while at most one attempt is on its way.
async fn delivered<S, R>(case: &Case, service: S) -> Result<String, TestCaseError>
where
    S: Service<Ask, Response = http::Response<R>, Error = crate::BoxError> + Clone,
    R: http_body::Body<Data = Bytes> + Unpin,
{
    let mut delivered = String::new();
    let service = case.told.layer().layer(service);
    let Ok(response) = service.oneshot(stream_request()).await else { return Ok(delivered) };
    let mut body = response.into_body();
    prop_assert!(case.provider.alive() <= 1);
    // The body of an error may hang.
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(100 * SECOND, body.frame()).await {
        prop_assert!(case.provider.alive() <= 1);
        delivered += &String::from_utf8_lossy(frame.data_ref().unwrap());
    }
    Ok(delivered)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn h1_hedges_stay_within_the_budget_and_attempts_within_the_account(
        script in script(),
        attempts in 1..6_u32,
        reserve in 1..4_u32,
        with_retry: bool,
        calls in 1..6_usize,
    ) {
        run(async {
            let budget = budget(f64::from(reserve));
            let layer = HedgeLayer::new(config()).unwrap().budget(budget.clone());
            let case = Case::with(layer, script).await;
            let earned = 4 + calls;
            for _ in 0..calls {
                let before = case.provider.arrived().len();
                let hedged = case.layer.layer(FinishLayer::new().layer(case.provider.clone()));
                let request = with(Options::default().attempts(attempts));
                let retry = RetryLayer::new().budget(budget.clone());
                let call = async {
                    let _answer = if with_retry {
                        let service = case.told.layer().layer(retry.layer(hedged));
                        text(service.oneshot(request).await?).await?
                    } else {
                        let service = case.told.layer().layer(hedged);
                        text(service.oneshot(request).await?).await?
                    };
                    Ok::<_, crate::BoxError>(())
                };
                // The body of an error may hang.
                let _answer = tokio::time::timeout(100 * SECOND, call).await;
                let made = case.provider.arrived().len() - before;
                prop_assert!(made >= 1 && made <= attempts as usize, "{:?}", case.told.events());
                let call = case.told.call();
                prop_assert_eq!(call.attempts() as usize, made);
                prop_assert_eq!(call.ledger().running(), 0, "{:?}", case.told.trail());
                prop_assert_eq!(case.provider.alive(), 0);
            }
            let sent = case.provider.arrived().len() - calls;
            // Connections that are refused would count a half; there are none.
            let most = f64::from(reserve) + 0.1 * earned as f64;
            prop_assert!(sent as f64 <= most + 1e-3, "{} {} {:?}", sent, most, case.told.events());
            Ok(())
        })?;
    }

    #[test]
    fn h2_one_wins_and_the_others_are_dropped_before_its_first_byte(
        script in script(),
        with_finish: bool,
    ) {
        run(async {
            let case = Case::new(script.clone()).await;
            let answer = if with_finish {
                let below = FinishLayer::new().layer(case.provider.clone());
                delivered(&case, case.layer.layer(below)).await?
            } else {
                delivered(&case, case.layer.layer(case.provider.clone())).await?
            };
            let words = (0..script.len()).filter(|at| answer.contains(&format!("w{at}."))).count();
            prop_assert!(words <= 1, "{}", answer);
            let won = case.told.events().iter().filter(|event| event.contains("won")).count();
            prop_assert!(won <= 1);
            case.at_rest();
            Ok(())
        })?;
    }

    #[test]
    fn h3_no_hedge_where_it_could_do_harm(
        repeatable: bool,
        has_attempt: bool,
        is_paid: bool,
        has_place: bool,
        is_open: bool,
        has_time: bool,
    ) {
        run(async {
            let budget = budget(1.0);
            let spent = budget.withdraw(budget::Purpose::Hedge, 0, crate::clock::now());
            if let (Ok(spent), true) = (spent, is_paid) {
                budget.give_back(spent, crate::clock::now());
            }
            let layer = HedgeLayer::new(config()).unwrap().budget(budget);
            let case = Case::with(layer, [says(&["slow"], 0, 5), says(&["quick"], 0, 1)]).await;
            let places = ConcurrencyLayer::new(if has_place { 2 } else { 1 }).unwrap();
            let breaker = BreakerLayer::new(Default::default()).unwrap();
            let service = ServiceBuilder::new()
                .layer(case.told.layer())
                .layer(case.layer.clone())
                .layer(breaker.clone())
                .layer(places)
                .service(case.provider.clone());
            let time = if has_time { 60 * SECOND } else { LATE };
            let options = Options::default()
                .repeatable(repeatable)
                .attempts(if has_attempt { 3 } else { 1 })
                .time(time);
            tokio::spawn(async move {
                tokio::time::sleep(SECOND).await;
                if is_open {
                    let key = Key { name: Some("gpt-5-mini".into()), ..Key::new(OpenAi) };
                    breaker.circuits().open(&key, None);
                }
            });
            let answer = text(service.oneshot(with(options)).await.unwrap()).await.unwrap();
            let may = repeatable && has_attempt && is_paid && has_place && !is_open && has_time;
            prop_assert_eq!(case.provider.arrived().len(), 1 + usize::from(may));
            prop_assert_eq!(answer.contains("quick"), may);
            case.at_rest();
            Ok(())
        })?;
    }

    #[test]
    fn h4_when_all_fail_the_error_does_not_depend_on_the_order(
        first in prop::sample::select(vec!['5', 'H', 'd', 'x']),
        second in prop::sample::select(vec!['5', 'H', 'd', 'x']),
        waits in (3..9_u32, 0..9_u32),
    ) {
        run(async {
            let script = [attempt(first, "first", waits.0), attempt(second, "second", waits.1)];
            let case = Case::new(script).await;
            let service = case.told.layer().layer(case.layer.layer(case.provider.clone()));
            let answer = service.oneshot(stream_request()).await;
            prop_assert_eq!(case.provider.arrived().len(), 2);
            let is_answer = second == '5' || second == 'H';
            prop_assert_eq!(
                answer.as_ref().is_ok_and(|response| response.status().is_server_error()),
                is_answer
            );
            if let (Ok(response), '5') = (answer, second) {
                let text = text(response).await.unwrap();
                prop_assert!(text.contains("second"), "{}", text);
            }
            case.at_rest();
            Ok(())
        })?;
    }
}
