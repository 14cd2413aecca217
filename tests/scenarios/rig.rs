//! A provider, a stack in front of it, and a caller who tells in a few words what it got.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use battlement::{
    BoxError, Error,
    call::{Attempt, Call, CallLayer},
    events::Event,
    retry::{Backoff, Budget, Config, RetryLayer},
    retry_after::RetryAfterLayer,
    stack::Stack,
    timeout::{TimeoutLayer, Timeouts},
};
use battlement_core::{
    backoff::{Pace, Paces},
    budget, cooldown,
};
use battlement_sim::{
    Provider, Script,
    answer::Reply,
    provider::{End, Stage},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use crate::words::Spoken;

pub(crate) type Hyper = Client<HttpConnector, Full<Bytes>>;

/// What the model says.
pub(crate) const SAID: &str = "The castle stands on a hill.";

/// How the provider is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Memory,
    Http1,
    Http2,
}

pub(crate) const SOCKETS: [Way; 2] = [Way::Http1, Way::Http2];

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Limits that are short enough to be waited for, and long enough for a machine that is busy.
pub(crate) fn quick() -> TimeoutLayer {
    let quick = Timeouts {
        head: Some(millis(400)),
        output: Some(millis(500)),
        idle: Some(millis(350)),
        total: Some(millis(2_000)),
        throughput: None,
    };
    TimeoutLayer::new(quick, quick).unwrap()
}

/// So many repetitions from the beginning, and one for ten calls.
pub(crate) fn budget(reserve: f64) -> Arc<Budget> {
    let config = budget::Config { reserve, ..budget::Config::default() };
    Arc::new(Budget::new(&config, Instant::now().into_std()).unwrap())
}

/// A stack whose waits are those of the provider, to the millisecond, and which can pay for the two repetitions that
/// a call may have.
pub(crate) fn stack(spoken: Spoken) -> Stack {
    let at_once = Pace::millis(0, 0);
    let paces = Paces {
        unsent: at_once,
        rate_limit: at_once,
        overloaded: at_once,
        broken: at_once,
        silent: at_once,
    };
    let backoff = Backoff::new(Config { paces, ..Config::default() }).unwrap();
    let gates = cooldown::Config { spread: 0.0, ..cooldown::Config::default() };
    spoken
        .stack()
        .retry(RetryLayer::new().backoff(backoff).budget(budget(2.0)).seed(7))
        .retry_after(RetryAfterLayer::new(gates).unwrap().seed(7))
}

pub(crate) fn provider(script: impl Into<Script>) -> Provider {
    let reply = Reply::default().text(SAID);
    Provider::serving(script).reply(reply).clock_at(SystemTime::UNIX_EPOCH)
}

pub(crate) fn http1() -> Hyper {
    Client::builder(TokioExecutor::new()).build(connector())
}

pub(crate) fn http2() -> Hyper {
    Client::builder(TokioExecutor::new()).http2_only(true).build(connector())
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    // Or frames wait for acknowledgements that are sent late.
    connector.set_nodelay(true);
    connector
}

/// What is written down of the events of a call.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn layer(&self, spoken: Spoken) -> CallLayer {
        let notes = self.0.clone();
        let observer = move |_: &Call, event: &Event<'_>| {
            let note = match event {
                Event::Ended { verdict } => verdict.outcome.to_string(),
                Event::Rejected { code } => format!("not sent: {code}"),
                Event::GaveUp { reason } => format!("no more: {reason}"),
                Event::Misordered { .. } | Event::SentAgain => format!("{event:?}"),
                _ => return,
            };
            notes.lock().unwrap().push(note);
        };
        CallLayer::new().provider(spoken.provider()).observer(observer)
    }

    pub(crate) fn told(&self) -> String {
        self.0.lock().unwrap().join(", ")
    }

    /// How many attempts were sent.
    pub(crate) fn sent(&self) -> usize {
        let notes = self.0.lock().unwrap();
        notes.iter().filter(|note| !note.contains(": ")).count()
    }
}

/// What a caller gets of one call.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_over: bool,
    pub(crate) error: Option<Error>,
    /// How many attempts the account of the call has; none if it failed with the first.
    pub(crate) attempts: usize,
}

/// Makes a call, and reads all of its answer.
pub(crate) async fn call<S, R>(service: S, request: Request<Full<Bytes>>) -> Got
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Error>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let response = match service.oneshot(request).await {
        Ok(response) => response,
        Err(error) => {
            let attempts = error.attempts().len();
            let (status, body, is_over) = (None, Vec::new(), false);
            return Got { status, body, is_over, error: Some(error), attempts };
        }
    };
    let status = Some(response.status().as_u16());
    let attempt = response.extensions().get::<Attempt>().expect("put there").clone();
    let mut stream = response.into_body();
    let (mut body, mut broken) = (Vec::new(), None);
    while let Some(frame) = stream.frame().await {
        match frame {
            Ok(frame) => body.extend(frame.into_data().unwrap_or_default()),
            Err(error) => {
                broken = Some(Error::from(error.into()));
                break;
            }
        }
    }
    let is_over = broken.is_none();
    let attempts = attempt.call().trail().len();
    Got { status, body, is_over, error: broken.or_else(|| Error::of(&attempt)), attempts }
}

impl Got {
    /// In a few words: `"what was said", whole`, or `"what was", then an error`.
    pub(crate) fn told(&self, spoken: Spoken) -> String {
        let mut told = String::new();
        match self.status {
            None => told += "nothing",
            Some(status) if status >= 400 => write!(told, "status {status}").unwrap(),
            Some(_) => {
                let (text, is_whole) = spoken.read(&self.body);
                let said = if text == SAID { "all of it" } else { &*format!("{text:?}") };
                told += said;
                told += if is_whole { ", whole" } else { "" };
            }
        }
        if let Some(error) = &self.error {
            told += if self.is_over { ", which is " } else { ", then " };
            write!(told, "{} ({:?})", error.code(), error.kind()).unwrap();
            if let Some(wait) = error.retry_after() {
                write!(told, " for {wait:?}").unwrap();
            }
        }
        told
    }
}

/// How the calls ended at the provider.
pub(crate) fn ends(provider: &Provider) -> String {
    let ends = provider.record().into_iter().map(|seen| match seen.end {
        None => "open".to_owned(),
        Some(End::Finished) => "finished".to_owned(),
        Some(End::Broken) => format!("broken after {}", seen.events),
        Some(End::Cancelled(Stage::Body)) => format!("left after {}", seen.events),
        Some(End::Cancelled(stage)) => format!("left at {stage:?}").to_lowercase(),
    });
    ends.collect::<Vec<_>>().join(", ")
}
