//! The provider as the callers see it: a service that answers in OpenAI's format.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use battlement::BoxError;
use battlement_sim::capacity::{Capacity, Job, Machine, Place, Progress, Refusal, Told, Why};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::Full;
use tokio::time::{Sleep, sleep};
use tower::Service;

use crate::log::Log;

pub(crate) type AnyMachine = Box<dyn Machine>;

/// Which call a request belongs to, and what it asks for. Every attempt brings the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) call: u32,
    pub(crate) job: Job,
    pub(crate) stream: bool,
}

/// How long a refusal is on its way.
const REFUSED_AFTER: Duration = Duration::from_millis(50);

/// A provider of limited capacity that writes down what arrives.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    capacity: Capacity<AnyMachine>,
    log: Arc<Log>,
}

impl Provider {
    pub(crate) fn new(capacity: Capacity<AnyMachine>, log: Arc<Log>) -> Self {
        Self { capacity, log }
    }
}

impl Service<Request<Full<Bytes>>> for Provider {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Answering {
        let asked = request.extensions().get::<Asked>().copied();
        let asked = asked.unwrap_or(Asked { call: 0, job: Job::default(), stream: false });
        let taken = self.capacity.ask(asked.job);
        self.log.arrived(asked.call, taken.is_err());
        let state = match taken {
            Ok(place) => State::Working(Some(place)),
            Err(refusal) => State::Refused(refusal, Box::pin(sleep(REFUSED_AFTER))),
        };
        Answering { state, asked, log: self.log.clone(), told: self.capacity.told() }
    }
}

/// The way to the head of an answer.
#[derive(Debug)]
pub(crate) struct Answering {
    state: State,
    asked: Asked,
    log: Arc<Log>,
    told: Option<Told>,
}

#[derive(Debug)]
enum State {
    Working(Option<Place<AnyMachine>>),
    Refused(Refusal, Pin<Box<Sleep>>),
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { state, asked, log, told } = &mut *self;
        let mut response = match state {
            State::Refused(refusal, sleep) => {
                ready!(sleep.as_mut().poll(cx));
                refused(*refusal)
            }
            State::Working(place) => loop {
                let Some(working) = place else { return Poll::Pending };
                match ready!(working.poll_next(cx)) {
                    Progress::First if asked.stream => {
                        let stream = Stream { place: place.take(), begun: false, call: asked.call };
                        break answer(EVENTS, Answer::Stream(stream, log.clone()));
                    }
                    Progress::First => {}
                    Progress::Done { cost } => {
                        log.answered(asked.call, cost);
                        break answer(JSON, Answer::Whole(Some(whole(asked.job))));
                    }
                    Progress::Broken => break status(StatusCode::INTERNAL_SERVER_ERROR, BROKEN),
                }
            },
        };
        if let Some(told) = told {
            tell(*told, &mut response);
        }
        Poll::Ready(Ok(response))
    }
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const OVERLOADED: &str =
    r#"{"error":{"type":"overloaded_error","code":"overloaded","message":"overloaded"}}"#;
const LIMITED: &str =
    r#"{"error":{"type":"requests","code":"rate_limit_exceeded","message":"rate limit reached"}}"#;
const BROKEN: &str =
    r#"{"error":{"type":"server_error","code":"server_error","message":"broken"}}"#;
const FIRST: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n";
const LAST: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn whole(job: Job) -> Bytes {
    if job.input == 0 {
        return Bytes::from_static(br#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}"#);
    }
    let (input, output, total) = (job.input, job.output, job.input + job.output);
    format!(r#"{{"id":"c","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hi"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}}}"#).into()
}

fn answer(kind: &'static str, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn status(status: StatusCode, body: &'static str) -> Response<Answer> {
    let mut response = answer(JSON, Answer::Whole(Some(Bytes::from_static(body.as_bytes()))));
    *response.status_mut() = status;
    response
}

fn refused(refusal: Refusal) -> Response<Answer> {
    let mut response = match refusal.why {
        Why::RateLimit => status(StatusCode::TOO_MANY_REQUESTS, LIMITED),
        Why::Overloaded => {
            status(StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), OVERLOADED)
        }
    };
    if let Some(after) = refusal.after {
        let (seconds, millis) = (after.as_millis().div_ceil(1000), after.as_millis() + 1);
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds as u64));
        headers.insert("retry-after-ms", HeaderValue::from(millis as u64));
    }
    response
}

fn tell(told: Told, response: &mut Response<Answer>) {
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit-requests", HeaderValue::from(told.limit));
    headers.insert("x-ratelimit-remaining-requests", HeaderValue::from(told.left));
    let reset = format!("{}ms", told.reset.as_millis());
    if let Ok(reset) = HeaderValue::try_from(reset) {
        headers.insert("x-ratelimit-reset-requests", reset);
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Whole(Option<Bytes>),
    Stream(Stream, Arc<Log>),
}

/// The rest of a stream.
#[derive(Debug)]
pub(crate) struct Stream {
    place: Option<Place<AnyMachine>>,
    begun: bool,
    call: u32,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let text = |text: &'static str| Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))));
        Poll::Ready(match &mut *self {
            Self::Whole(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Self::Stream(stream, _) if !stream.begun => {
                stream.begun = true;
                text(FIRST)
            }
            Self::Stream(stream, log) => {
                let Some(place) = &mut stream.place else { return Poll::Ready(None) };
                let progress = ready!(place.poll_next(cx));
                stream.place = None;
                match progress {
                    Progress::Done { cost } => {
                        log.answered(stream.call, cost);
                        text(LAST)
                    }
                    _ => Some(Err("connection reset by peer".into())),
                }
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(stream, _) => stream.begun && stream.place.is_none(),
        }
    }
}
