//! The invariants, over the layer.

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

fn runs(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(test)
}

/// When each comes, in milliseconds, and when it leaves, if it does not stay.
fn callers() -> impl Strategy<Value = Vec<(u64, Option<u64>)>> {
    prop::collection::vec((0_u64..4_500, prop::option::of(0_u64..4_500)), 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// While one is on its way there is no other, whoever comes and goes.
    #[test]
    fn s1_one_call_below_for_each_that_is_shared(callers in callers()) {
        runs(async {
            let (service, provider, layer) = over([slow_stream()]);
            let tasks: Vec<_> = callers.iter().map(|&(comes, stays)| {
                let service = service.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(comes)).await;
                    let told = whole(service, fixed_stream_request());
                    match stays {
                        Some(stays) => tokio::time::timeout(Duration::from_millis(stays), told).await.is_ok(),
                        None => told.await.is_ok(),
                    }
                })
            }).collect();
            for _ in 0..1_000 {
                advance(Duration::from_millis(10)).await;
                tokio::task::yield_now().await;
                prop_assert!(provider.alive() <= 1);
            }
            for (task, (_, stays)) in tasks.into_iter().zip(&callers) {
                prop_assert!(task.await.unwrap() || stays.is_some());
            }
            prop_assert_eq!((provider.alive(), layer.flights()), (0, 0));
            Ok(())
        })?;
    }

    /// Whoever leaves, the others get the whole answer, of the call that was made first; and nobody is left to pay for it
    /// when all have left.
    #[test]
    fn s2_whoever_leaves_the_others_go_on(
        stays in prop::collection::vec(prop::option::of(0_u64..4_500), 1..6),
    ) {
        runs(async {
            let (service, provider, _) = over([slow_stream()]);
            let all = stays.iter().map(|stays| {
                let told = whole(service.clone(), fixed_stream_request());
                let time = Duration::from_millis(stays.unwrap_or(1_000_000));
                tokio::spawn(tokio::time::timeout(time, told))
            });
            let all: Vec<_> = all.collect();
            let last = stays.iter().map(|stays| stays.unwrap_or(1_000_000)).max().unwrap();
            for (task, stays) in all.into_iter().zip(&stays) {
                let told = task.await.unwrap();
                prop_assert!(told.is_ok_and(|told| told.is_ok()) || stays.is_some_and(|stays| stays <= 4_000));
            }
            prop_assert_eq!(provider.arrived().len(), 1);
            prop_assert_eq!(provider.alive(), 0, "the last has left after {}", last);
            Ok(())
        })?;
    }

    /// Whenever somebody joins, it gets the same from the beginning on.
    #[test]
    fn s3_every_follower_sees_the_same_bytes(comes in prop::collection::vec(0_u64..3_900, 1..6)) {
        runs(async {
            let (service, provider, _) = over([slow_stream()]);
            let first = tokio::spawn(whole(service.clone(), fixed_stream_request()));
            tokio::task::yield_now().await;
            let others = comes.iter().map(|&comes| {
                let service = service.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(comes)).await;
                    whole(service, fixed_stream_request()).await.unwrap()
                })
            });
            let others: Vec<_> = others.collect();
            let first = first.await.unwrap().unwrap();
            prop_assert!(first.ends_with("data: [DONE]\n\n"));
            for other in others {
                prop_assert_eq!(&other.await.unwrap(), &first);
            }
            prop_assert_eq!(provider.arrived().len(), 1);
            Ok(())
        })?;
    }

    #[test]
    fn s5_different_tenants_never_join(one in 0_usize..3, other in 0_usize..3, shared in any::<bool>()) {
        runs(async {
            let provider = Provider::new([Answer::ok().head_after(SECOND)]);
            let layer = SingleFlightLayer::new();
            let layer = if shared { layer.shared() } else { layer };
            let service = layer.layer(provider.clone());
            let ask = |who: usize| {
                let options = ["", "a", "b"].map(|tenant| Options::default().tenant(tenant))[who].clone();
                whole(service.clone(), with(options, fixed_request()))
            };
            let both = tokio::join!(ask(one), ask(other));
            prop_assert!(both.0.is_ok() && both.1.is_ok());
            prop_assert_eq!(provider.arrived().len() == 1, shared || one == other);
            Ok(())
        })?;
    }
}

/// Dropped after any number of polls, wherever that is, nothing is left; and the other one goes on.
#[tokio::test(start_paused = true)]
async fn g1_dropped_after_any_poll_everything_comes_back() {
    for polls in 0..12 {
        let (service, provider, layer) = over([slow_stream()]);
        let mut polled = 0;
        let mut first = Box::pin(whole(service.clone(), fixed_stream_request()));
        let dropped = std::future::poll_fn(|cx| {
            polled += 1;
            if polled > polls || first.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        });
        // Who never is polled has nothing.
        let _late = tokio::time::timeout(10 * SECOND, dropped).await;
        drop(first);
        assert_eq!((provider.alive(), layer.flights()), (0, 0), "{polls}");
        assert!(whole(service, fixed_stream_request()).await.is_ok());
    }
}
