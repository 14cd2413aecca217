//! One provider cannot serve a call, and another can.
//!
//! Two simulated providers, each behind a stack of its own, and a fallback over both. Each scenario is played in four
//! dialects, for whole answers and streams, in memory and over a socket: the answer is of one route from its first byte to
//! its last, comes within the deadline, and costs exactly so many requests.

use std::{fmt::Write, sync::Arc, time::Duration};

use battlement::{
    BoxError, Error, Source,
    call::{CallLayer, Options},
    fallback::{Capabilities, FallbackLayer, Route},
};
use battlement_sim::{Provider, Script, answer::Reply};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use tower::{Layer, Service, ServiceExt};

use crate::{
    rig::{self, SAID, Way, ends, http1, millis, quick, stack},
    words::Spoken,
};

/// What the model of the second route says.
const ALSO_SAID: &str = "It was built by hand, stone on stone.";

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the first provider does, and what follows. The second one answers well.
struct Detour {
    /// `BEFORE` is the number of events before the first word, `AFTER` one that is in the middle of the text.
    script: &'static str,
    streams: Outcome,
    wholes: Outcome,
}

/// What a caller gets, and what it costs.
#[derive(Clone, Copy)]
struct Outcome {
    gets: &'static str,
    /// How many requests each of the two got.
    requests: (u64, u64),
    /// How long it takes in memory, where nothing else takes time.
    takes: u64,
}

const fn outcome(gets: &'static str, requests: (u64, u64), takes: u64) -> Outcome {
    Outcome { gets, requests, takes }
}

impl Detour {
    const fn new(script: &'static str, streams: Outcome) -> Self {
        Self { script, streams, wholes: streams }
    }

    const fn whole(self, wholes: Outcome) -> Self {
        Self { wholes, ..self }
    }
}

/// The second route's answer, as it is.
const SECOND: &str = "all of the second, fallback:second";
const FIRST: &str = "all of the first, primary";

const DETOURS: &[Detour] = &[
    Detour::new("ok", outcome(FIRST, (1, 0), 0)),
    // Silence moves on at once, whether there was a head or not, and also if somebody else would have waited longer.
    Detour::new("never", outcome(SECOND, (1, 1), 400)),
    Detour::new("stall after 0 events", outcome(SECOND, (1, 1), 500)).whole(outcome(
        SECOND,
        (1, 1),
        350,
    )),
    Detour::new("first token after 900ms", outcome(SECOND, (1, 1), 500)).whole(outcome(
        SECOND,
        (1, 1),
        350,
    )),
    // What breaks before the first word is tried once more in place; nobody has seen anything of it.
    Detour::new("cut after BEFORE events", outcome(SECOND, (2, 1), 0)),
    Detour::new("cut after BEFORE events; ok", outcome(FIRST, (2, 0), 0)),
    Detour::new("500", outcome(SECOND, (2, 1), 0)),
    Detour::new("500; ok", outcome(FIRST, (2, 0), 0)),
    // After it, it is told, and nobody else is asked. Of a whole answer nothing has gone down yet.
    Detour::new("cut after AFTER events", outcome("a part, then llm.stream.cut", (1, 0), 0))
        .whole(outcome(SECOND, (2, 1), 0)),
    Detour::new("stall after AFTER events", outcome("a part, then llm.timeout.idle", (1, 0), 350))
        .whole(outcome(SECOND, (1, 1), 350)),
    // No other provider is asked to say what one has not let pass.
    Detour::new("filter", outcome(FIRST, (1, 0), 0)),
    // The second one has the larger window.
    Detour::new("context overflow", outcome(SECOND, (1, 1), 0)),
    Detour::new("quota exhausted", outcome(SECOND, (1, 1), 0)),
    Detour::new("invalid key", outcome(SECOND, (1, 1), 0)),
    // A wait that is short is waited for, a long one is not.
    Detour::new("429 after 1s; ok", outcome(FIRST, (2, 0), 1_000)),
    Detour::new("429 after 40s", outcome(SECOND, (1, 1), 0)),
    Detour::new("invalid request", outcome("status 400, primary", (1, 0), 0)),
];

type Ask = Request<Full<Bytes>>;

impl Detour {
    /// What the first provider does when it is spoken to so.
    fn script(&self, spoken: Spoken, stream: bool) -> Script {
        let (before, after) = match spoken {
            _ if !stream => ("0", "0"),
            Spoken::OpenAi => ("1", "4"),
            Spoken::Responses => ("4", "7"),
            Spoken::Anthropic => ("2", "5"),
            Spoken::Gemini => ("0", "3"),
        };
        self.script.replace("BEFORE", before).replace("AFTER", after).parse().unwrap()
    }

    async fn play(&self, spoken: Spoken, stream: bool, way: Way) -> Result<(), String> {
        let first = rig::provider(self.script(spoken, stream));
        let second = Provider::new().reply(Reply::default().text(ALSO_SAID));
        let (one, two) = match way {
            Way::Memory => ("http://first.test".to_owned(), "http://second.test".to_owned()),
            _ => (String::new(), String::new()),
        };
        let servers = match way {
            Way::Memory => None,
            _ => Some((first.listen().await.unwrap(), second.listen().await.unwrap())),
        };
        let (one, two) = match &servers {
            None => (one, two),
            Some((one, two)) => (one.url().to_owned(), two.url().to_owned()),
        };
        let small = Capabilities { context: Some(8_000), ..Capabilities::default() };
        let large = Capabilities { context: Some(200_000), ..Capabilities::default() };
        let (own, other) = (stack(spoken).timeout(quick()), stack(spoken).timeout(quick()));
        let builder =
            FallbackLayer::builder(Route::new("first").base(&one).unwrap().capabilities(small));
        let to = Route::new("second").base(&two).unwrap().capabilities(large);
        let layer = match way {
            Way::Memory => builder.route(to, other.layer(second.clone())),
            _ => builder.route(to, other.layer(http1())),
        };
        let layer = (CallLayer::new().provider(spoken.provider()), layer.build().unwrap());
        let mut request = spoken.request(stream);
        request.extensions_mut().insert(Options::default().time(PATIENCE));
        let start = Instant::now();
        let told = match way {
            Way::Memory => told(layer.layer(own.layer(first.clone())), request, spoken).await,
            _ => told(layer.layer(own.layer(http1())), request, spoken).await,
        };
        let took = start.elapsed();
        let expected = if stream { self.streams } else { self.wholes };
        let requests = (first.counts().arrived, second.counts().arrived);
        let is_in_time = match way {
            Way::Memory => took == millis(expected.takes),
            _ => took >= millis(expected.takes) && took < PATIENCE,
        };
        if told == expected.gets && requests == expected.requests && is_in_time {
            return Ok(());
        }
        let Self { script, .. } = self;
        let at_first = ends(&first);
        Err(format!(
            "{script:?}, {spoken:?}, stream {stream}, {way:?}: {told}, requests {requests:?} ({at_first}), took {took:?}"
        ))
    }
}

/// What a caller gets of a call, in a few words.
async fn told<S, R>(service: S, request: Ask, spoken: Spoken) -> String
where
    S: Service<Ask, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let response = match service.oneshot(request).await {
        Ok(response) => response,
        Err(error) => return format!("nothing, then {}", Error::from(error.into()).code()),
    };
    let source = Source::of(&response).to_string();
    let status = response.status();
    let (mut body, mut end) = (response.into_body(), source);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend(frame.into_data().unwrap_or_default()),
            Err(error) => end = format!("then {}", Error::from(error.into()).code()),
        }
    }
    let mut told = String::new();
    let (text, is_whole) = spoken.read(&bytes);
    match (&*text, is_whole) {
        _ if status.as_u16() >= 400 => write!(told, "status {}", status.as_u16()).unwrap(),
        (SAID, true) => told += "all of the first",
        (ALSO_SAID, true) => told += "all of the second",
        (part, _) if SAID.starts_with(part) => told += "a part",
        _ => write!(told, "{text:?}").unwrap(),
    }
    told + ", " + &end
}

/// Every detour, in every dialect, as a stream and as a whole.
fn all() -> impl Iterator<Item = (&'static Detour, Spoken, bool)> {
    let spoken = |detour| Spoken::ALL.map(|spoken| (detour, spoken));
    DETOURS
        .iter()
        .flat_map(spoken)
        .flat_map(|(detour, spoken)| [true, false].map(|stream| (detour, spoken, stream)))
}

#[tokio::test(start_paused = true)]
async fn in_memory() {
    let mut failed = Vec::new();
    for (detour, spoken, stream) in all() {
        failed.extend(detour.play(spoken, stream, Way::Memory).await.err());
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn on_sockets() {
    // Most of them wait most of the time.
    let few = Arc::new(Semaphore::new(8));
    let mut plays = JoinSet::new();
    for (detour, spoken, stream) in all() {
        let few = few.clone();
        plays.spawn(async move {
            let _turn = few.acquire().await;
            detour.play(spoken, stream, Way::Http1).await
        });
    }
    let failed: Vec<_> = plays.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
