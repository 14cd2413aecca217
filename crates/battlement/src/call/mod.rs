//! Who a call is: what it asks, until when, for whom, and how often it was tried.
//!
//! A limiter needs to know the model and the tokens, a breaker the model, a retry the deadline; and a
//! retry inside a fallback inside a hedge must not multiply, so all of them need one account of the
//! attempts. So the first layer that a request meets reads it once, and puts an [`Attempt`] with its
//! [`Call`] into the extensions, where every other layer finds it. Each of our layers does that if
//! nobody has: it also works alone. [`CallLayer`] does nothing else, and is where settings go that
//! concern all calls.
//!
//! The body is read if its length is known and within [`CallLayer::most_body`]: a body from memory
//! costs no copy and no wait, one that is still on its way in is waited for, until the deadline of the call. A body of unknown
//! length passes through unread: then only the address and the headers tell about the call, and it is
//! not repeated.
//!
//! What the caller wants of a call is said with [`Options`].
//!
//! # Where in the stack
//!
//! [`CallLayer`] goes to the outside of all others. It changes one header: an `accept-encoding` is
//! set to `identity`, since answers are read as they pass; see [`CallLayer::keep_encoding`].
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement::call::{Attempt, CallLayer, Options};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), battlement::BoxError> {
//! let provider = service_fn(|request: Request<Full<Bytes>>| async move {
//!     let call = request.extensions().get::<Attempt>().expect("put there").call();
//!     assert_eq!(call.facts().model.as_deref(), Some("gpt-5-mini"));
//!     assert!(call.deadline().instant().is_some());
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//! });
//! let service = ServiceBuilder::new().layer(CallLayer::new()).service(provider);
//!
//! let request = Request::post("https://api.openai.com/v1/chat/completions")
//!     .extension(Options::default().time(Duration::from_secs(20)).tenant("acme"))
//!     .body(Full::from(r#"{"model": "gpt-5-mini", "messages": []}"#))?;
//! service.oneshot(request).await?;
//! # Ok(())
//! # }
//! ```

mod attempt;
mod credential;
mod key;
mod layer;
mod options;
mod order;
mod progress;
mod read;
#[cfg(test)]
mod tests;

pub use attempt::Attempt;
pub(crate) use attempt::Errand;
pub use credential::Credential;
#[cfg(feature = "cache")]
pub(crate) use credential::Identity;
pub(crate) use credential::{forget, is_credential};
pub use key::Key;
pub(crate) use key::{ByKey, KeyOf};
pub use layer::{CallLayer, Reads, ResponseFuture};
pub use options::{Caching, Options, Tenant};
use order::Passed;
pub use order::{Misordered, Place, misordered};
pub(crate) use progress::Progress;
pub use read::Unreadable;
pub(crate) use read::take_bytes;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use battlement_core::{
    Provider,
    attempts::{Ledger, Limits, MOST_ATTEMPTS, Step},
    deadline::Deadline,
    lanes::Lane,
    queue,
    request::Facts,
};
use bytes::Bytes;
use http::Request;

use self::layer::Settings;
use crate::{
    clock::now,
    events::{Event, Observer},
    retry_after::Force,
};

/// A call: everything about it that does not change from attempt to attempt, and one account of the
/// attempts.
#[derive(Clone)]
pub struct Call(Arc<State>);

struct State {
    facts: Facts,
    started: Instant,
    deadline: Deadline,
    lane: Lane,
    tenant: Option<Tenant>,
    credential: Option<Credential>,
    repeatable: bool,
    held: bool,
    forced: bool,
    /// What its lane says about second attempts.
    hedged: bool,
    caching: Caching,
    ledger: Mutex<Ledger>,
    /// Whether it was ended because its time was over.
    expired: AtomicBool,
    observer: Option<Arc<dyn Observer>>,
    /// See [`Call::watch`].
    watch: OnceLock<Arc<dyn Observer>>,
    /// See [`Call::key`].
    key: OnceLock<Key>,
    /// The call as it was first read, which keeps the account, if this is what it is elsewhere.
    origin: Option<Call>,
}

impl Call {
    /// What the request and its options tell, if `body` is all of it; without it, what the head does.
    fn read<B>(
        request: &Request<B>,
        body: Option<&Bytes>,
        settings: &Settings,
        started: Instant,
    ) -> Self {
        let options = request.extensions().get::<Options>();
        let option = |pick: fn(&Options) -> Option<bool>| options.and_then(pick);
        let bytes = body.map_or(&[][..], |body| body);
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let mut facts = match options.and_then(|options| options.dialect).or(settings.dialect) {
            Some(dialect) => Facts::read_as(dialect, method, uri, headers, bytes),
            None => Facts::read(method, uri, headers, bytes),
        };
        if let Some(provider) = options.and_then(|options| options.provider).or(settings.provider) {
            facts.provider = provider;
        }
        let lane = options.and_then(|options| options.lane).unwrap_or_default();
        let repeatable = option(|options| options.repeatable)
            .unwrap_or(!facts.server_state && !facts.server_tools);
        let mut limits = settings.lanes.limits(lane);
        if let Some(attempts) = options.and_then(|options| options.attempts) {
            limits = Limits::new(attempts.clamp(1, MOST_ATTEMPTS))
                .unwrap_or_default()
                .waiting(settings.lanes.terms(lane).waiting);
        }
        Self(Arc::new(State {
            started,
            deadline: deadline(options, settings, started),
            lane,
            tenant: options.and_then(|options| options.tenant.clone()),
            credential: Credential::of_request(headers, uri),
            repeatable,
            held: body.is_some(),
            forced: request.extensions().get::<Force>().is_some(),
            hedged: settings.lanes.terms(lane).hedge,
            caching: options.map(|options| options.caching).unwrap_or_default(),
            ledger: Mutex::new(Ledger::new(limits.repeatable(repeatable))),
            expired: AtomicBool::new(false),
            observer: settings.observer.clone(),
            watch: OnceLock::new(),
            key: OnceLock::new(),
            origin: None,
            facts,
        }))
    }

    /// The same call, of which this is known: as it is made elsewhere, or by somebody who knows better. It
    /// keeps its deadline, its account and whatever else the caller has said.
    pub(crate) fn known_as(&self, facts: Facts, credential: Option<Credential>) -> Self {
        let State { started, deadline, lane, repeatable, held, forced, hedged, caching, .. } =
            *self.0;
        Self(Arc::new(State {
            facts,
            started,
            deadline,
            lane,
            tenant: self.0.tenant.clone(),
            credential,
            repeatable,
            held,
            forced,
            hedged,
            caching,
            // Never looked at: the account is that of the origin.
            ledger: Mutex::new(Ledger::new(Limits::default())),
            expired: AtomicBool::new(false),
            observer: self.0.observer.clone(),
            watch: OnceLock::new(),
            key: OnceLock::new(),
            origin: Some(self.origin().clone()),
        }))
    }

    /// The same call, as a request reads that was made of the one it was read from.
    pub(crate) fn made_as<B>(
        &self,
        request: &Request<B>,
        body: &[u8],
        provider: Option<Provider>,
    ) -> Self {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let mut facts = match self.facts().dialect {
            Some(dialect) => Facts::read_as(dialect, method, uri, headers, body),
            None => Facts::read(method, uri, headers, body),
        };
        match provider {
            Some(provider) => facts.provider = provider,
            None if facts.provider == Provider::Generic => facts.provider = self.facts().provider,
            None => {}
        }
        self.known_as(facts, Credential::of_request(headers, uri))
    }

    /// The call as it was first read.
    fn origin(&self) -> &Self {
        self.0.origin.as_ref().unwrap_or(self)
    }

    /// Whether both are the same call, wherever it is made.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.origin().0, &other.origin().0)
    }

    /// What the head of a request tells.
    fn from_head<B>(request: &Request<B>) -> Self {
        Self::read(request, None, &Settings::default(), now())
    }

    /// What the request asks for.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// Until when the answer is of use.
    pub fn deadline(&self) -> Deadline {
        self.0.deadline
    }

    /// How urgent it is.
    pub fn lane(&self) -> Lane {
        self.0.lane
    }

    /// On whose behalf it is made.
    pub fn tenant(&self) -> Option<&Tenant> {
        self.0.tenant.as_ref()
    }

    /// The API key that it is made with, as a number.
    pub fn credential(&self) -> Option<Credential> {
        self.0.credential
    }

    /// What has limits of its own, unless a layer is told otherwise.
    pub(crate) fn key(&self) -> &Key {
        self.0.key.get_or_init(|| Key::of(self))
    }

    /// By whom turns are taken; calls of nobody in particular share one.
    pub fn turn(&self) -> queue::Tenant {
        self.tenant().map_or(queue::Tenant::new(0), Tenant::share)
    }

    /// Whether the request may be sent twice.
    pub fn is_repeatable(&self) -> bool {
        self.0.repeatable
    }

    /// Whether its lane has speed bought with a second attempt.
    pub(crate) fn may_be_hedged(&self) -> bool {
        self.0.hedged
    }

    /// Whether the body is in memory, so that it can be sent again.
    pub fn is_held(&self) -> bool {
        self.0.held
    }

    /// Whether it goes out whatever a provider has asked for.
    pub(crate) fn is_forced(&self) -> bool {
        self.0.forced
    }

    /// Whether its answer may be one that is kept, or that another call gets, too.
    pub fn caching(&self) -> Caching {
        self.0.caching
    }

    /// The account of its attempts.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.origin().0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many attempts were begun, by a layer that makes several.
    pub fn attempts(&self) -> u32 {
        self.ledger().attempts()
    }

    /// What happened so far, from the first attempt on.
    pub fn trail(&self) -> Vec<Step> {
        self.ledger().trail().cloned().collect()
    }

    /// Its time is over, and whatever is still on its way is dropped now. To be said before that, so
    /// that those who see themselves dropped know why.
    pub(crate) fn expire(&self) {
        self.origin().0.expired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_expired(&self) -> bool {
        self.origin().0.expired.load(Ordering::Relaxed)
    }

    /// From here on this one is told as well. False if somebody was set before: of a stack within a stack
    /// the outer one keeps the account.
    pub(crate) fn watch(&self, watch: Arc<dyn Observer>) -> bool {
        self.origin().0.watch.set(watch).is_ok()
    }

    /// Whether somebody was set to watch this call alone.
    pub(crate) fn is_watched(&self) -> bool {
        self.origin().0.watch.get().is_some()
    }

    /// Tells whoever watches.
    pub(crate) fn report(&self, event: &Event<'_>) {
        self.each_observer(|observer| observer.event(self, event));
    }

    /// Everyone who watches.
    fn each_observer(&self, tell: impl Fn(&dyn Observer)) {
        if let Some(observer) = &self.0.observer {
            tell(&**observer);
        }
        if let Some(watch) = self.origin().0.watch.get() {
            tell(&**watch);
        }
    }
}

/// Until when the answer to a call is of use that came at this moment.
fn deadline(options: Option<&Options>, settings: &Settings, started: Instant) -> Deadline {
    let asked = options.and_then(|options| match (options.deadline, options.time) {
        (None, None) => None,
        (deadline, time) => {
            let deadline = deadline.unwrap_or(Deadline::NEVER);
            Some(time.map_or(deadline, |time| deadline.within(time, started)))
        }
    });
    let lane = options.and_then(|options| options.lane).unwrap_or_default();
    asked.unwrap_or_else(|| settings.lanes.deadline(lane, started))
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("facts", &self.0.facts)
            .field("lane", &self.0.lane)
            .field("tenant", &self.0.tenant)
            .field("repeatable", &self.0.repeatable)
            .finish_non_exhaustive()
    }
}
