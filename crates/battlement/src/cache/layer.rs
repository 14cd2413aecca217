//! The layer, its settings, and the search for an answer.

use std::{
    fmt, mem,
    sync::{Arc, atomic::AtomicUsize},
    task::{Context, Poll},
    time::Duration,
};

use battlement_core::{Code, Fault};
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Body, LookUp, Memory, ResponseFuture, Store,
    future::{Looking, Plan},
};
use crate::{
    call::{Attempt, Caching, Place, Reads, take_bytes},
    drive::Drive,
    error::BoxError,
    events::Event,
    observe::{Attempted, Settling},
    sameness::{Sameness, may_share},
};

/// Keeps answers, and gives them to those who ask the same; see the [module documentation](super).
#[derive(Clone)]
#[must_use]
pub struct CacheLayer {
    policy: Policy,
}

/// What holds for all calls.
#[derive(Clone)]
pub(super) struct Policy {
    pub(super) store: Arc<dyn Store>,
    sameness: Sameness,
    pub(super) fresh: Duration,
    pub(super) stale: Duration,
    pub(super) most_answer: usize,
    pub(super) most_taken: usize,
    /// What all copies take that are on their way.
    pub(super) taken: Arc<AtomicUsize>,
}

const FRESH: Duration = Duration::from_secs(60 * 60);
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
const MOST_ANSWER: usize = 1 << 20;
const MOST_TAKEN: usize = 64 << 20;

impl Default for CacheLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl CacheLayer {
    /// In 64 MiB of [memory](Memory), for an hour, and for a day more for those who would get an error.
    pub fn new() -> Self {
        Self::with(Arc::new(Memory::default()))
    }

    /// In a store that others look at, too, or that is elsewhere.
    pub fn with(store: Arc<dyn Store>) -> Self {
        let policy = Policy {
            store,
            sameness: Sameness::default(),
            fresh: FRESH,
            stale: STALE,
            most_answer: MOST_ANSWER,
            most_taken: MOST_TAKEN,
            taken: Arc::default(),
        };
        Self { policy }
    }

    /// For how long an answer is served to whoever asks the same. An hour unless told otherwise.
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.policy.fresh = time;
        self
    }

    /// For how much longer an answer is served to those who would get an error. A day unless told otherwise; not at all, if
    /// it is zero.
    pub fn stale_if_error(mut self, time: Duration) -> Self {
        self.policy.stale = time;
        self
    }

    /// Keeps answers whatever the temperature is: whoever asks twice gets the same twice.
    pub fn any_temperature(mut self) -> Self {
        self.policy.sameness.any = true;
        self
    }

    /// Shares answers among all callers, whatever their tenant or API key is.
    pub fn shared(mut self) -> Self {
        self.policy.sameness.shared = true;
        self
    }

    /// A header that changes answers, such as one by which a proxy chooses the model. Those of the providers are known.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.policy.sameness.headers.push(name);
        self
    }

    /// The largest answer that is kept: 1 MiB unless told otherwise.
    pub fn most_answer(mut self, bytes: usize) -> Self {
        // Where frames end is kept in 32 bits.
        self.policy.most_answer = bytes.min(u32::MAX as usize);
        self
    }

    /// What copies may take together of answers that are still on their way: 64 MiB unless told otherwise.
    pub fn most_in_flight(mut self, bytes: usize) -> Self {
        self.policy.most_taken = bytes;
        self
    }
}

impl Policy {
    /// For how long an answer is of any use.
    pub(super) fn time(&self) -> Duration {
        self.fresh.saturating_add(self.stale)
    }
}

/// Whether a failure is one that an old answer is better than: one that is over some time, or at another provider. Not what
/// is wrong with the request, nor a key that is refused: whoever has lost it is not served any longer.
pub(super) fn is_outage(code: Code) -> bool {
    match code.fault() {
        Fault::Provider | Fault::Network => true,
        Fault::Account => !matches!(code, Code::InvalidKey | Code::AccessDenied),
        Fault::Caller => matches!(
            code,
            Code::QueueFull
                | Code::ConcurrencyReached
                | Code::NoRoute
                | Code::AttemptsUsed
                | Code::DeadlineExceeded
        ),
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = Reads<Cache<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        Reads::before(Cache { inner, policy: Arc::new(self.policy.clone()) })
    }
}

/// Keeps answers, and gives them to those who ask the same; see the [module documentation](super).
#[derive(Clone, Debug)]
pub struct Cache<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, B, R> Service<Request<B>> for Cache<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Cache);
        let call = attempt.call();
        let mut key = None;
        if may_share(call, request.method(), request.headers()) {
            let (parts, body) = request.into_parts();
            let body = match take_bytes(body) {
                Ok(body) => body,
                Err(error) => {
                    return ResponseFuture::going(
                        Attempted::rejected(&attempt, error.into()),
                        None,
                    );
                }
            };
            let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
            key = self.policy.sameness.of(call, method, uri, headers, &body);
            request = Request::from_parts(parts, B::from(body));
        }
        let mut plan = None;
        if let Some(key) = key {
            let mut planned = Plan::new(&self.policy, key, &attempt);
            if call.caching() != Caching::Refresh {
                match self.policy.store.get(&key) {
                    LookUp::Now(found) => match planned.weigh(found) {
                        Ok(response) => return ResponseFuture::answered(response),
                        Err(missed) => planned = missed,
                    },
                    LookUp::Later(search) => {
                        let clone = self.inner.clone();
                        let service = mem::replace(&mut self.inner, clone);
                        let looking = Looking::new(service, request, search, planned);
                        return ResponseFuture::looking(looking);
                    }
                }
                call.report(&Event::CacheMiss);
            }
            plan = Some(planned);
        }
        let settling = Settling::new(attempt, ());
        let drive = Drive::start(&mut self.inner, request);
        ResponseFuture::going(Attempted::new(drive, settling), plan)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("sameness", &self.sameness)
            .field("fresh", &self.fresh)
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CacheLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer").field("policy", &self.policy).finish()
    }
}
