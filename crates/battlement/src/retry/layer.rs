//! The layer, its settings, and the first attempt.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use battlement_core::{
    Kind, Verdict,
    attempts::Role,
    backoff::{Backoff, Trouble},
    budget::{self, Budget},
    random,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Refused,
    future::ResponseFuture,
    ticket::{Ticket, tokens},
    tries::Tries,
    usual::Usual,
};
use crate::{
    call::{Attempt, Place, Reads},
    clock::now,
    drive::Drive,
    error::BoxError,
    events::Event,
    observe::{Attempted, Settling},
    replay::Replay,
    retry::Body,
    seed,
};

type Classify = dyn Fn(&Verdict) -> Option<Trouble> + Send + Sync;

/// Tries again what may succeed; see the [module documentation](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct RetryLayer {
    policy: Policy,
}

/// What holds for all calls.
#[derive(Clone)]
pub(super) struct Policy {
    pub(super) budget: Arc<Budget>,
    pub(super) backoff: Backoff,
    pub(super) random: Arc<random::Shared>,
    pub(super) usual: Arc<Usual>,
    classify: Option<Arc<Classify>>,
    idempotency: Option<HeaderName>,
}

impl Policy {
    /// The trouble that an answer is, if it is to be tried again.
    pub(super) fn trouble(&self, verdict: &Verdict) -> Option<Trouble> {
        self.classify.as_ref().map_or_else(|| trouble(verdict), |classify| classify(verdict))
    }
}

/// What is tried again, unless [`RetryLayer::classify`] says otherwise: what may pass by itself, and what
/// the provider's `x-should-retry` says. Nothing that the model itself has ended, be it a refusal, a
/// filter or the token limit.
///
/// ```
/// use battlement::retry;
/// use battlement_core::{NoAnswer, Verdict, backoff::Trouble};
///
/// let verdict = Verdict::no_answer(NoAnswer::Unreachable);
/// assert_eq!(retry::trouble(&verdict), Some(Trouble::Unsent));
/// assert_eq!(retry::trouble(&Verdict::abandoned()), None);
/// ```
pub fn trouble(verdict: &Verdict) -> Option<Trouble> {
    if !verdict.is_retryable() {
        return None;
    }
    let said_so = (verdict.kind == Kind::HttpError).then_some(Trouble::Broken);
    Trouble::of(verdict.outcome).or(said_so)
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryLayer {
    /// With a budget of one retry for ten calls, and the waits of [`backoff`](battlement_core::backoff).
    /// How often a call is tried is said by its [`lane`](battlement_core::lanes).
    pub fn new() -> Self {
        let budget = Budget::new(&budget::Config::default(), now());
        let policy = Policy {
            budget: Arc::new(budget.expect("the default is in range")),
            backoff: Backoff::default(),
            random: Arc::new(random::Shared::new(seed::fresh())),
            usual: Arc::default(),
            classify: None,
            idempotency: None,
        };
        Self { policy }
    }

    /// With a budget that others pay from, too: a second stack to the same provider, a hedge, a
    /// fallback. There is no way to have none. A limit per call is no protection when all calls fail:
    /// see [`battlement_core::budget`].
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        self.policy.budget = budget;
        self
    }

    /// How long to wait.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = backoff;
        self
    }

    /// Draws waits from this seed, so that a run can be repeated. From a fresh one unless told otherwise.
    pub fn seed(mut self, seed: u64) -> Self {
        self.policy.random = Arc::new(random::Shared::new(seed));
        self
    }

    /// What is tried again, and how fast. [`trouble`] unless told otherwise.
    ///
    /// Budget, deadline and the account of the call stay in force. Answers whose status is a success
    /// are not asked about: they are on their way to the caller by the time that their end is known.
    pub fn classify(
        mut self,
        classify: impl Fn(&Verdict) -> Option<Trouble> + Send + Sync + 'static,
    ) -> Self {
        self.policy.classify = Some(Arc::new(classify));
        self
    }

    /// Sends a key of this name with each call, the same over its attempts; one that the caller has set
    /// stays. None by default: no provider promises to heed it for generations. It is for a proxy
    /// of one's own that does.
    pub fn idempotency_header(mut self, name: HeaderName) -> Self {
        self.policy.idempotency = Some(name);
        self
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Reads<Retry<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Retry { inner, policy: Arc::new(self.policy.clone()) })
    }
}

/// Tries again what may succeed; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Retry<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, B, R> Service<Request<B>> for Retry<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Unpin,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Retry);
        if !attempt.count() {
            // Somebody further out makes the attempts.
            let settling = Settling::new(attempt, Ticket::none());
            let drive = Drive::start(&mut self.inner, request);
            return ResponseFuture::once(Attempted::new(drive, settling));
        }
        let call = attempt.call().clone();
        if let Some(name) = &self.policy.idempotency {
            if !request.headers().contains_key(name) {
                request.headers_mut().insert(name, key());
            }
        }
        let repeated = repeated(request.headers());
        if repeated > 0 {
            call.report(&Event::Repeated { times: repeated });
        }
        let (replay, request) = if call.is_held() {
            match Replay::of(request) {
                Ok((replay, request)) => (Some(replay), request),
                Err(error) => {
                    return ResponseFuture::once(Attempted::rejected(&attempt, error.into()));
                }
            }
        } else {
            (None, request)
        };
        // What others have made before was made elsewhere, where there is a choice.
        let role = if attempt.errand().is_some() { Role::Fallback } else { Role::Retry };
        match Ticket::begin(&attempt, &self.policy, role) {
            Err(source) => {
                let refused = Refused { source };
                ResponseFuture::once(Attempted::rejected(&attempt, refused.into()))
            }
            Ok((ticket, role)) => {
                // What others repeat earns nothing here.
                if role == Role::First && repeated == 0 {
                    self.policy.budget.deposit(tokens(call.facts()), now());
                }
                // There before the service is called: a panic gives it back.
                let settling = Settling::new(attempt.clone(), ticket);
                let service = self.inner.clone();
                let drive = Drive::start(&mut self.inner, request);
                let tries = Tries::new(self.policy.clone(), attempt, service, replay);
                ResponseFuture::first(Attempted::new(drive, settling), tries)
            }
        }
    }
}

/// The header in which SDKs generated by Stainless, among them those of OpenAI and Anthropic, say how often they
/// have sent the request before.
const RETRY_COUNT: &str = "x-stainless-retry-count";

/// How often the caller has sent the request before, if it says so.
pub(crate) fn repeated(headers: &HeaderMap) -> u32 {
    let count = headers.get(RETRY_COUNT).and_then(|count| count.to_str().ok());
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// A key that no other call has.
fn key() -> HeaderValue {
    let key = format!("{:016x}{:016x}", seed::fresh(), seed::fresh());
    HeaderValue::try_from(key).unwrap_or(HeaderValue::from_static(""))
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("budget", &self.budget)
            .field("backoff", &self.backoff)
            .field("idempotency", &self.idempotency)
            .finish_non_exhaustive()
    }
}
