//! A provider that comes and goes, and twenty callers at once.

use battlement::concurrency::ConcurrencyLayer;
use battlement_core::{Code, adaptive};
use battlement_sim::Script;
use tokio::task::JoinSet;
use tower::Layer;

use crate::{
    rig::{self, Got, Notes, SAID, SOCKETS, Way, call, http1, http2},
    words::Spoken,
};

const CALLERS: usize = 20;
const CALLS: usize = 5;

/// Well for fifteen calls, and then not for five, in several ways.
const SCRIPT: &str = "12x every 2ms; 503; 500; reset; cut after 1 event; 503; 3x ok; cycle";

/// What a caller may be told meanwhile.
const KNOWN: [Code; 5] =
    [Code::Overloaded, Code::ServerError, Code::Disconnected, Code::StreamCut, Code::CircuitOpen];

/// Each of twenty callers makes five calls, one after the other.
async fn flap(way: Way) {
    let spoken = Spoken::OpenAi;
    let provider = rig::provider(SCRIPT.parse::<Script>().unwrap());
    let concurrency = ConcurrencyLayer::new(adaptive::Config::default()).unwrap();
    let limit = concurrency.handle().clone();
    let notes = Notes::default();
    let stack = rig::stack(spoken).call(notes.layer(spoken)).concurrency(concurrency);
    let server = if way == Way::Memory { None } else { Some(provider.listen().await.unwrap()) };
    let base = server.as_ref().map_or("http://provider.test", |server| server.url());
    let stack = stack.base(base).unwrap();
    let clients = [http1(), http2()];
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (stack, provider, clients) = (stack.clone(), provider.clone(), clients.clone());
        callers.spawn(async move {
            let [http1, http2] = clients;
            let mut got: Vec<Got> = Vec::new();
            for _ in 0..CALLS {
                let request = spoken.request(true);
                got.push(match way {
                    Way::Memory => call(stack.layer(provider.clone()), request).await,
                    Way::Http1 => call(stack.layer(http1.clone()), request).await,
                    Way::Http2 => call(stack.layer(http2.clone()), request).await,
                });
            }
            got
        });
    }
    let got: Vec<Got> = callers.join_all().await.into_iter().flatten().collect();
    let whole = got.iter().filter(|got| got.error.is_none()).count();
    for got in &got {
        let (text, is_whole) = spoken.read(&got.body);
        match &got.error {
            None => assert!(is_whole && text == SAID, "{way:?}: taken for good: {text:?}"),
            Some(error) => {
                assert!(!is_whole && KNOWN.contains(&error.code()), "{way:?}: {error}");
            }
        }
    }
    // Most calls find it well, and whom the breaker turns away meanwhile is told so. In memory nothing comes in
    // between, so there are as many each time; on a socket it depends on who comes when.
    match way {
        Way::Memory => assert_eq!(whole, 86),
        _ => assert!(whole >= CALLERS * CALLS / 2, "{way:?}: {whole} of {}", got.len()),
    }
    // Every call to the provider is an attempt that is accounted for. Of repetitions there are two from the
    // beginning, and one for ten calls.
    let arrived = provider.counts().arrived as usize;
    assert_eq!(arrived, notes.sent(), "{way:?}");
    assert!(arrived <= CALLERS * CALLS + 2 + CALLERS * CALLS / 10, "{way:?}: {arrived}");
    let snapshot = limit.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.waiting), (0, 0), "{way:?}");
}

#[tokio::test(start_paused = true)]
async fn in_memory() {
    flap(Way::Memory).await;
}

#[tokio::test]
async fn on_sockets() {
    for way in SOCKETS {
        flap(way).await;
    }
}
