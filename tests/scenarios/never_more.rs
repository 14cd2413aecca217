//! Whichever layers that send a request again are stacked, and whatever the providers do: a call never has more attempts
//! than it may have, and its account knows of each.

use std::time::Duration;

use battlement::{
    BoxError,
    call::{Attempt, CallLayer, Options},
    context::ContextLayer,
    fallback::{FallbackLayer, Route},
    finish::FinishLayer,
    hedge::{self, HedgeLayer},
    retry::RetryLayer,
};
use battlement_core::Provider as Vendor;
use battlement_sim::{Provider, Script};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{select, subsequence},
};
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};

use crate::{
    rig::{budget, quick},
    words::Spoken,
};

type Ask = Request<Full<Bytes>>;
type Boxed = BoxCloneSyncService<Ask, Response<BoxBody<Bytes, BoxError>>, BoxError>;

/// A layer that may send a request again. From the inside to the outside.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Repeats {
    Hedge,
    Retry,
    Context,
    Fallback,
}

use Repeats::{Context, Fallback, Hedge, Retry};

/// What a provider may do to a call.
const STEPS: &[&str] = &[
    "ok",
    "500",
    "503",
    "429",
    "429 after 1s",
    "reset",
    "never",
    "empty",
    "truncate",
    "filter",
    "context overflow",
    "quota exhausted",
    "cut after 0 events",
    "cut after 3 events",
    "end after 2 events",
    "stall after 0 events",
    "stall after 4 events",
    "first token after 450ms",
];

fn boxed<S, R>(service: S) -> Boxed
where
    S: Service<Ask, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    R::Error: Into<BoxError>,
{
    let service = service.map_err(Into::into);
    let service = service.map_response(|response: Response<R>| {
        response.map(|body| body.map_err(Into::into).boxed())
    });
    BoxCloneSyncService::new(service)
}

/// These layers over a provider, the last of them outermost, with a second route for a fallback, which has a retry of its own
/// if the first has.
fn stacked(layers: &[Repeats], script: &Script) -> (Boxed, Vec<Provider>) {
    let provider = || Provider::serving(script.clone());
    let first = provider();
    let inner = (quick(), FinishLayer::new());
    let mut service = boxed(inner.clone().layer(first.clone()));
    let mut providers = vec![first];
    for layer in layers {
        service = match layer {
            Retry => boxed(RetryLayer::new().budget(budget(20.0)).seed(7).layer(service)),
            Hedge => {
                let earliest = Duration::from_millis(100);
                let config =
                    hedge::Config { earliest, quantile: 0.5, samples: 2, ..Default::default() };
                boxed(HedgeLayer::new(config).unwrap().budget(budget(20.0)).layer(service))
            }
            Fallback => {
                let other = provider();
                let second = boxed(inner.clone().layer(other.clone()));
                let second = match layers.contains(&Retry) {
                    true => boxed(RetryLayer::new().budget(budget(20.0)).seed(8).layer(second)),
                    false => second,
                };
                providers.push(other);
                let layer = FallbackLayer::builder("first").route(Route::new("second"), second);
                boxed(layer.build().unwrap().layer(service))
            }
            Context => boxed(ContextLayer::new().layer(service)),
        };
    }
    (boxed(CallLayer::new().provider(Vendor::OpenAi).layer(service)), providers)
}

/// What became of a call: how many attempts its account has, if that could be asked.
async fn play(service: &Boxed, attempts: u32, stream: bool) -> Option<u32> {
    let mut request = Spoken::OpenAi.request(stream);
    let uri = format!("http://provider.test{}", request.uri()).parse().unwrap();
    *request.uri_mut() = uri;
    let options = Options::default().attempts(attempts).time(Duration::from_secs(30));
    request.extensions_mut().insert(options);
    let response = service.clone().oneshot(request).await.ok()?;
    let attempt = response.extensions().get::<Attempt>().cloned();
    let _answer = response.into_body().collect().await;
    attempt.map(|attempt| attempt.call().attempts())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 200 } else { 2_000 }))]

    #[test]
    fn g6_no_stack_makes_more_attempts_than_a_call_may_have(
        layers in subsequence(vec![Hedge, Retry, Context, Fallback], 0..=4),
        steps in vec(select(STEPS), 1..8),
        attempts in 1u32..6,
        stream in any::<bool>(),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
            let script: Script = format!("{}; cycle", steps.join("; ")).parse().unwrap();
            let (service, providers) = stacked(&layers, &script);
            let mut before = 0;
            // The first ones teach the hedge what is late.
            for _ in 0..4 {
                let known = play(&service, attempts, stream).await;
                let arrived: u64 = providers.iter().map(|provider| provider.counts().arrived).sum();
                let sent = arrived - before;
                before = arrived;
                // Without a layer that makes several, nobody counts.
                let most = if layers.is_empty() { 1 } else { u64::from(attempts) };
                assert!(sent <= most, "{sent} of {attempts} were sent by {layers:?}, {script}");
                if let Some(known) = known.filter(|_| !layers.is_empty()) {
                    assert!(u64::from(known) >= sent, "{known} of {sent} are in the account");
                }
            }
        });
    }
}
