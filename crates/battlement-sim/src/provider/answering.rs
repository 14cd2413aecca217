//! A call on its way to its answer.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use battlement_core::request::Facts;
use bytes::{Buf, Bytes, BytesMut};
use http::{Extensions, Response, request::Parts};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Provider,
    body::Body,
    lost::{Lost, Why},
    plan::{self, Plan},
    record::{End, Seen, Ticket},
    site::{Making, Progress, Refusal, Wanted},
};
use crate::{
    answer::{self, Asked, Ending, Fault, Limits},
    quota::{self, Cost, Denied, KEYS},
    script::{Step, What},
};

pin_project! {
    /// A call that waits for the head of its answer.
    ///
    /// The request arrives when this is first polled. Dropped before its end, its caller went away.
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Answering<B> {
        provider: Provider,
        // Until it arrives.
        head: Option<Parts>,
        // Until it is read.
        #[pin]
        body: Option<B>,
        call: Option<Call>,
        decided: Option<Decided>,
        sleep: Option<Pin<Box<Sleep>>>,
    }
}

/// A request that arrived.
#[derive(Debug)]
struct Call {
    head: Arc<Parts>,
    at: Instant,
    ticket: Ticket,
    /// The step, if it is known before the request has been read.
    step: Option<Step>,
    read: Read,
}

/// What has come of a body.
#[derive(Debug, Default)]
struct Read {
    /// Most bodies come in one piece, which need not be copied.
    first: Bytes,
    rest: BytesMut,
}

/// What is done.
#[derive(Debug)]
struct Decided {
    step: Step,
    asked: Asked,
    limits: Option<Limits>,
    making: Making,
    /// How far it was when the head had not to wait for it any longer.
    made: Option<Progress>,
    /// When the head goes out, if not at once.
    due: Option<Instant>,
}

impl<B> Answering<B> {
    pub(super) fn new(provider: Provider, head: Parts, body: B) -> Self {
        let (head, body) = (Some(head), Some(body));
        Self { provider, head, body, call: None, decided: None, sleep: None }
    }
}

impl<B: http_body::Body> Future for Answering<B> {
    type Output = Result<Response<Body>, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(head) = this.head.take() {
            *this.call = Some(Call::arrive(this.provider, head));
        }
        let call = this.call.as_mut().expect("polled after its end");
        if this.decided.is_none() {
            if !call.step.as_ref().is_some_and(|step| step.early)
                && ready!(call.read.poll_all(this.body.as_mut(), cx)).is_err()
            {
                // With the call its ticket is dropped: the caller went away.
                *this.call = None;
                return Poll::Ready(Err(Lost::new(Why::Request)));
            }
            // What has not been read by now will not be.
            this.body.set(None);
            *this.decided = Some(call.decide(this.provider));
        }
        let decided = this.decided.as_mut().expect("just decided");
        if decided.step.what == What::Never {
            return Poll::Pending;
        }
        let is_broken = ready!(decided.poll_made(cx)) == Progress::Broken;
        if let Some(due) = decided.due {
            let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
            ready!(sleep.as_mut().poll(cx));
        }
        let (call, decided) = this.call.take().zip(this.decided.take()).expect("both are there");
        Poll::Ready(if is_broken {
            Err(call.lose(Why::Closed))
        } else {
            call.answer(decided, this.provider)
        })
    }
}

impl Decided {
    /// Waits until as much of the answer is made as the head waits for.
    fn poll_made(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        if self.made.is_none() {
            let making = &mut self.making;
            let is_stream = self.asked.stream;
            let made = if is_stream { making.poll_first(cx) } else { making.poll_done(cx) };
            self.made = Some(ready!(made));
        }
        Poll::Ready(self.made.unwrap_or(Progress::Done))
    }
}

impl Call {
    fn arrive(provider: &Provider, mut head: Parts) -> Self {
        let settings = &*provider.settings;
        // Whatever else travels with a request is not for the provider.
        head.extensions = Extensions::new();
        for name in KEYS {
            if let Some(value) = head.headers.get_mut(name) {
                value.set_sensitive(true);
            }
        }
        let (head, at) = (Arc::new(head), Instant::now());
        let ticket = settings.record.arrive(Seen::new(head.clone(), at), settings.keep);
        let step = if settings.models.is_empty() { settings.script.next() } else { None };
        Self { head, at, ticket, step, read: Read::default() }
    }

    /// What to do, now that the request is there.
    fn decide(&mut self, provider: &Provider) -> Decided {
        let (settings, now) = (&*provider.settings, Instant::now());
        let body = std::mem::take(&mut self.read).bytes();
        let Parts { method, uri, headers, .. } = &*self.head;
        let facts = match settings.dialect {
            Some(dialect) => Facts::read_as(dialect, method, uri, headers, &body),
            None => Facts::read(method, uri, headers, &body),
        };
        let mut asked = Asked::of(&facts, uri, self.ticket.number).inputs_of(&body);
        let kept =
            (settings.keep_bodies > 0).then(|| body.slice(..body.len().min(settings.keep_bodies)));
        let body_bytes = body.len() as u64;
        let known = |seen: &mut Seen| {
            (seen.facts, seen.body, seen.body_bytes) =
                (Some(facts.clone()), kept.clone(), body_bytes);
        };
        let seen = || {
            let mut seen = Seen::new(self.head.clone(), self.at);
            seen.number = self.ticket.number;
            known(&mut seen);
            seen
        };
        let mut step = match self.step.take() {
            Some(step) => step,
            None => settings.lane(facts.model.as_deref()).next_for(&seen()),
        };
        let cost = cost(&step, &asked, provider);
        let mut limits = None;
        if let Some(accounts) = &settings.quota {
            let (admitted, left) = accounts.admit(quota::key(headers, uri), cost, now.into_std());
            limits = Some(left);
            if let Err(Denied { fault, after, over }) = admitted {
                self.ticket.limited();
                asked.over = Some(over);
                step = turned_away(fault, after);
            }
        }
        let mut making = Making::default();
        if let Some(site) = settings.site.as_ref().filter(|_| !step.fails()) {
            let Cost { input, output, .. } = cost;
            let wanted = Wanted { seen: &seen(), input_tokens: input, output_tokens: output };
            match site.ask(&wanted) {
                Ok(place) => making = Making::at(place),
                Err(Refusal { fault, after }) => {
                    self.ticket.limited();
                    step = turned_away(fault, after);
                }
            }
            limits = limits.or_else(|| site.left());
        }
        self.ticket.read(|seen| {
            known(seen);
            seen.step = Some(step.clone());
        });
        let due = (!step.head_after.is_zero()).then(|| now + step.head_after);
        Decided { step, asked, limits, making, made: None, due }
    }

    fn answer(mut self, decided: Decided, provider: &Provider) -> Result<Response<Body>, Lost> {
        let Decided { step, mut asked, limits, making, .. } = decided;
        let now = Instant::now();
        provider.tell_time(&mut asked, now);
        let Some(mut answer) = plan::answer(&step, &asked, &provider.settings.reply) else {
            let is_unreachable = step.what == What::Unreachable;
            return Err(self.lose(if is_unreachable { Why::Unreachable } else { Why::Reset }));
        };
        if let Some(limits) = &limits {
            answer::limits(&asked, limits, &mut answer.headers);
        }
        let mut plan = Plan::new(&step, &asked, answer);
        let (status, headers) = (plan.status, std::mem::take(&mut plan.headers));
        self.ticket.head(status, now);
        let mut response = Response::new(Body::new(plan, making, self.ticket, now));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// There is no head.
    fn lose(mut self, why: Why) -> Lost {
        self.ticket.end(End::Broken);
        Lost::new(why)
    }
}

/// What is answered instead of what the script says.
fn turned_away(fault: Fault, after: Option<Duration>) -> Step {
    let step = Step::fault(fault);
    after.into_iter().fold(step, Step::hint)
}

/// What a call costs its account.
fn cost(step: &Step, asked: &Asked, provider: &Provider) -> Cost {
    let reply = plan::reply(step, &provider.settings.reply);
    let is_empty = step.what == What::Reply(Ending::Empty);
    let output = if is_empty { 0 } else { reply.output_tokens };
    let input = reply.input_tokens.unwrap_or(asked.input_tokens);
    Cost { input, output, fails: step.fails() }
}

impl Read {
    /// Reads to the end of the body, which is then gone.
    fn poll_all<B: http_body::Body>(
        &mut self,
        mut body: Pin<&mut Option<B>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), B::Error>> {
        while let Some(some) = body.as_mut().as_pin_mut() {
            match ready!(some.poll_frame(cx)) {
                Some(frame) => {
                    // Trailers say nothing to a provider.
                    if let Ok(data) = frame?.into_data() {
                        self.add(data);
                    }
                }
                None => body.set(None),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn add(&mut self, mut data: impl Buf) {
        if self.first.is_empty() {
            self.first = data.copy_to_bytes(data.remaining());
        } else {
            self.rest.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
    }

    fn bytes(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        [self.first, self.rest.freeze()].concat().into()
    }
}
