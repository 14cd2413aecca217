//! Two hosts and a link between them.

use std::{cell::RefCell, future::Future, net::Ipv4Addr, rc::Rc, time::Duration};

use battlement::{
    BoxError, Error,
    call::Attempt,
    retry::{Backoff, Config, RetryLayer},
    stack::Stack,
    timeout::{TimeoutLayer, Timeouts},
};
use battlement_core::{
    Provider as Vendor,
    backoff::{Pace, Paces},
};
use battlement_sim::Provider;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use serde_json::Value;
use tower::{Service, ServiceExt};
use turmoil::net::TcpListener;

use crate::wire::Connector;

pub(crate) type Hyper = Client<Connector, Full<Bytes>>;

/// The hosts.
const CALLER: &str = "caller";
pub(crate) const PROVIDER: &str = "provider";

/// What the provider says.
pub(crate) const SAID: &str = "The castle stands on a hill.";

/// Something happens to the network, or to the host at its other end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// All that is on its way is lost, and so is what is sent from now on.
    Partition,
    /// The same in one direction: what the provider sends.
    Deafness,
    /// And in the other one: what is sent to the provider.
    Silence,
    /// Nothing is lost from now on. What was is not sent again: a connection that had something on its way hangs.
    Repair,
    /// Nothing arrives.
    Hold,
    /// What was held arrives.
    Release,
    /// The provider starts again. Its connections are closed, if the network lets it say so.
    Restart,
    /// So many milliseconds from one host to the other, from now on.
    Latency(u64),
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Runs a caller on one host and the provider on the other, while these faults come to pass, each at its
/// millisecond.
pub(crate) fn simulate<T: 'static>(
    seed: u64,
    provider: &Provider,
    faults: &[(u64, Fault)],
    caller: impl Future<Output = T> + 'static,
) -> T {
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(millis(1))
        .min_message_latency(millis(1))
        .max_message_latency(millis(3))
        .simulation_duration(Duration::from_secs(60))
        .build();
    let served = provider.clone();
    sim.host(PROVIDER, move || {
        let provider = served.clone();
        async move {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).await?;
            loop {
                let (connection, _) = listener.accept().await?;
                // Not in the runtime itself, which drops its tasks in an order that depends on how many there
                // have been in the process.
                tokio::task::spawn_local(provider.clone().serve_connection(connection));
            }
        }
    });
    let result = Rc::new(RefCell::new(None));
    let told = result.clone();
    sim.client(CALLER, async move {
        let told_now = caller.await;
        *told.borrow_mut() = Some(told_now);
        Ok(())
    });
    let mut faults = faults.iter().peekable();
    loop {
        while let Some((_, fault)) = faults.next_if(|(at, _)| millis(*at) <= sim.elapsed()) {
            match fault {
                Fault::Partition => sim.partition(CALLER, PROVIDER),
                Fault::Deafness => sim.partition_oneway(PROVIDER, CALLER),
                Fault::Silence => sim.partition_oneway(CALLER, PROVIDER),
                Fault::Repair => sim.repair(CALLER, PROVIDER),
                Fault::Hold => sim.hold(CALLER, PROVIDER),
                Fault::Release => sim.release(CALLER, PROVIDER),
                Fault::Restart => sim.bounce(PROVIDER),
                Fault::Latency(time) => sim.set_link_latency(CALLER, PROVIDER, millis(*time)),
            }
        }
        if sim.step().expect("it ends in time") {
            break;
        }
    }
    drop(sim);
    result.take().expect("it has ended")
}

/// The protocols.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Http {
    One,
    Two,
}

impl Http {
    pub(crate) const BOTH: [Self; 2] = [Self::One, Self::Two];

    pub(crate) fn client(self) -> Hyper {
        let mut builder = Client::builder(TokioExecutor::new());
        if self == Self::Two {
            // All calls share a connection: one that is dead has to be noticed.
            builder
                .http2_only(true)
                .timer(TokioTimer::new())
                .http2_keep_alive_interval(millis(100))
                .http2_keep_alive_timeout(millis(100))
                .http2_keep_alive_while_idle(true);
        }
        builder.build(Connector)
    }
}

/// How patient a stack is here: an attempt is over after a second.
pub(crate) const QUICK: Timeouts = Timeouts {
    head: Some(millis(150)),
    output: Some(millis(250)),
    idle: Some(millis(150)),
    total: Some(millis(1_000)),
    throughput: None,
};

/// A stack whose waits are short.
pub(crate) fn stack(seed: u64) -> Stack {
    let paces = Paces {
        unsent: Pace::millis(5, 50),
        rate_limit: Pace::millis(50, 500),
        overloaded: Pace::millis(50, 500),
        broken: Pace::millis(20, 200),
        silent: Pace::millis(0, 0),
    };
    let backoff = Backoff::new(Config { paces, ..Config::default() }).unwrap();
    Stack::of(Vendor::OpenAi)
        .base("http://provider")
        .unwrap()
        .retry(RetryLayer::new().backoff(backoff).seed(seed))
        .timeout(TimeoutLayer::new(QUICK, QUICK).unwrap())
}

pub(crate) fn request(stream: bool) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"model":"gpt-5-mini","stream":{stream},"messages":[{{"role":"user","content":"Hi"}}]}}"#
    );
    let request = Request::post("/v1/chat/completions").header("content-type", "application/json");
    request.body(body.into()).unwrap()
}

/// What a caller got.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_over: bool,
    pub(crate) error: Option<Error>,
    pub(crate) attempts: usize,
}

/// Makes a call, and reads its answer with a pause before each frame.
pub(crate) async fn call<S, R>(service: S, request: Request<Full<Bytes>>, pause: Duration) -> Got
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Error>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let mut got = Got::default();
    let response = match service.oneshot(request).await {
        Ok(response) => response,
        Err(error) => {
            got.attempts = error.attempts().len();
            got.error = Some(error);
            return got;
        }
    };
    got.status = Some(response.status().as_u16());
    let attempt = response.extensions().get::<Attempt>().expect("put there").clone();
    let mut body = response.into_body();
    loop {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        match body.frame().await {
            Some(Ok(frame)) => got.body.extend(frame.into_data().unwrap_or_default()),
            Some(Err(error)) => {
                got.error = Some(Error::from(error.into()));
                break;
            }
            None => {
                got.is_over = true;
                break;
            }
        }
    }
    got.attempts = attempt.call().attempts() as usize;
    got.error = got.error.or_else(|| Error::of(&attempt));
    got
}

/// What is in an answer, for a client that believes what it is told.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) text: String,
    pub(crate) is_whole: bool,
    /// The names of the answers that the pieces belong to: of one.
    pub(crate) ids: Vec<String>,
}

pub(crate) fn words(answer: &[u8]) -> Words {
    let answer = String::from_utf8_lossy(answer);
    let mut read = Words::default();
    let documents: Vec<&str> = if answer.starts_with('{') {
        vec![&answer]
    } else {
        answer.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect()
    };
    for document in documents {
        read.is_whole |= document == "[DONE]";
        let Ok(document) = serde_json::from_str::<Value>(document) else { continue };
        for piece in ["/choices/0/delta/content", "/choices/0/message/content"] {
            read.text += document.pointer(piece).and_then(Value::as_str).unwrap_or_default();
        }
        read.is_whole |= document.pointer("/choices/0/message").is_some();
        if let Some(id) = document["id"].as_str().filter(|&id| !read.ids.iter().any(|i| i == id)) {
            read.ids.push(id.to_owned());
        }
    }
    read
}
