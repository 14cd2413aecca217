//! What became of an attempt on a route: served, or failed, and with what.

use std::{future::poll_fn, task::Poll, time::Duration};

use battlement_core::{Code, Verdict};
use bytes::Bytes;
use http::Response;
use tokio::time::timeout;

use super::{Body, Either, Served, lease::Lease};
use crate::{
    call::Attempt,
    clock::now,
    error::{BoxError, Explanation, explain, no_answer},
    events::Event,
    finish::{Action, Policy},
    hold::{MOST_HELD, MOST_OF_AN_ERROR, has_begun, is_error, was_held},
    observe::{self, judge},
};

/// What the caller gets.
pub(super) type Answer<R> = Result<Response<Body<R>>, BoxError>;

/// For how long an error is read to learn what it means; as in `retry`.
const LONGEST_FOR_AN_ERROR: Duration = Duration::from_secs(1);

/// What became of an attempt on a route.
pub(super) struct Failure {
    pub(super) code: Code,
    /// Whether anything was sent, or may have been.
    pub(super) sent: bool,
    /// When trying again makes sense, if a rejection says so.
    retry_after: Option<Duration>,
}

impl Served {
    /// Goes with this answer.
    #[inline(always)]
    pub(super) fn with<R>(
        self,
        mut response: Response<observe::Body<Either<R>, Lease>>,
    ) -> Response<Body<R>>
    where
        R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        response.body().attempt().call().report(&Event::Served { served: &self });
        response.extensions_mut().insert(self);
        response.map(Body::new)
    }
}

/// An attempt that was made on a route.
pub(super) struct Made<R>
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    pub(super) route: usize,
    /// The one that was answered.
    pub(super) attempt: Attempt,
    pub(super) answer: Answer<R>,
}

impl<R> Made<R>
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    pub(super) fn new(route: usize, response: Response<observe::Body<Either<R>, Lease>>) -> Self {
        let attempt = response.body().attempt().clone();
        Self { route, attempt, answer: Ok(response.map(Body::new)) }
    }

    pub(super) fn failed(route: usize, attempt: Attempt, error: BoxError) -> Self {
        Self { route, attempt, answer: Err(error) }
    }

    /// What it failed with, if it did. As much of the answer is read as that takes.
    pub(super) async fn weigh(&mut self) -> Option<Failure> {
        let response = match &mut self.answer {
            Ok(response) => response,
            Err(error) => return Some(Failure::of(error)),
        };
        let (attempt, code) = (&self.attempt, |verdict: &Verdict| verdict.code());
        let code = if is_error(response) {
            let limit = attempt.call().deadline().within(LONGEST_FOR_AN_ERROR, now());
            let limit = limit.remaining(now()).unwrap_or(LONGEST_FOR_AN_ERROR);
            let _in_time = timeout(limit, hold(response, |bytes| bytes >= MOST_OF_AN_ERROR)).await;
            let facts = attempt.call().facts();
            attempt.verdict().map_or_else(
                || {
                    let (status, headers) = (response.status(), response.headers());
                    code(&judge(facts, status, headers, response.body().held.data()))
                },
                code,
            )
        } else if was_held(attempt) {
            None
        } else {
            hold(response, |bytes| bytes >= MOST_HELD || has_begun(attempt)).await;
            let verdict = attempt.verdict().filter(|_| response.body().held.is_whole());
            verdict
                .filter(|verdict| Policy::default().action(verdict) == Action::Fail)
                .and_then(code)
        };
        code.map(|code| Failure { code, sent: true, retry_after: None })
    }

    /// What can be returned later without holding a connection for it.
    pub(super) fn kept(mut self) -> Option<Self> {
        if let Ok(response) = &mut self.answer {
            let held = &mut response.body_mut().held;
            held.release();
            if !held.is_whole() {
                return None;
            }
        }
        Some(self)
    }
}

impl Failure {
    fn of(error: &BoxError) -> Self {
        if let Some(Explanation { code, sent, retry_after, .. }) = explain(error) {
            return Self { code, sent, retry_after };
        }
        let code = Verdict::no_answer(no_answer(error)).code().unwrap_or(Code::Disconnected);
        Self { code, sent: true, retry_after: None }
    }

    /// Whether the caller learns more from it than from an earlier one: it is an answer, or neither is and it passes
    /// sooner.
    pub(super) fn tells_more_than(&self, earlier: &Self) -> bool {
        let after = |failure: &Self| failure.retry_after.unwrap_or(Duration::MAX);
        self.sent || !earlier.sent && after(self) <= after(earlier)
    }
}

/// Reads an answer until this is enough of it, or it is whole.
async fn hold<R>(response: &mut Response<Body<R>>, is_enough: impl Fn(usize) -> bool)
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    poll_fn(|cx| {
        let held = &mut response.body_mut().held;
        while !held.is_whole() && !is_enough(held.bytes()) {
            if held.poll_more(cx).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// Whether an answer may go as it is: it is no error, and somebody below has held it.
#[inline(always)]
pub(super) fn passes<R>(response: &Response<observe::Body<Either<R>, Lease>>) -> bool
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    !is_error(response) && was_held(response.body().attempt())
}
