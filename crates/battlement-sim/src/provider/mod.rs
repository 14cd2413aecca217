//! The provider in memory: a Tower service.
//!
//! [`Provider`] answers requests by a [`Script`], in whatever dialect they are, and writes down what it
//! [saw](Seen). It is where a client would be, so what is tested over it is all of a program but the
//! socket; on one, `listen` puts the same provider (feature `serve`).
//!
//! Time is tokio's. In a test with a paused clock an answer of a minute takes microseconds, and its events
//! come at exactly the instants that the script says.
//!
//! ```
//! use std::time::Duration;
//!
//! use battlement_sim::{Provider, provider::{End, Stage}};
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use tokio::time::Instant;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = Provider::script("429 after 2s; head after 1s every 100ms cut after 3 events")?;
//! let call = || {
//!     let request = Request::post("https://api.openai.com/v1/chat/completions").body(
//!         Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "stream": true, "messages": []}"#),
//!     );
//!     provider.clone().oneshot(request.unwrap())
//! };
//! let limited = call().await?;
//! assert_eq!(limited.headers()["retry-after"], "2");
//! drop(limited);
//!
//! let start = Instant::now();
//! let mut body = call().await?.into_body();
//! assert_eq!(start.elapsed(), Duration::from_secs(1));
//! while let Some(Ok(event)) = body.frame().await {
//!     assert!(event.data_ref().unwrap().starts_with(b"data: "));
//! }
//! assert_eq!(start.elapsed(), Duration::from_millis(1_200));
//!
//! let seen = provider.record();
//! assert_eq!((seen[1].events, seen[1].end), (3, Some(End::Broken)));
//! assert_eq!(seen[0].end, Some(End::Cancelled(Stage::Body)), "nobody has read its body");
//! # Ok(())
//! # }
//! ```
//!
//! # What counts as going away
//!
//! Whoever drops the future of a call or the body of its answer before their end went away: on a socket that is
//! a connection closed or a stream reset. The record says at which [`Stage`].

mod answering;
mod body;
mod capacity;
mod lost;
mod plan;
mod record;
mod site;
#[cfg(test)]
mod tests;

pub use answering::Answering;
pub use body::Body;
pub use lost::{Lost, Why};
pub use record::{Counts, End, Seen, Stage};
pub use site::{Place, Progress, Refusal, Site, Wanted};

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};

use battlement_core::Dialect;
use http::{Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use self::record::Record;
use crate::{
    answer::{Asked, Reply},
    quota::{Accounts, Quota},
    script::{InvalidScript, Script, Step},
};

/// A provider that does what its script says. See the [module](self).
///
/// Clones are the same provider: they share the place in the script, the limits and the record. Settings are
/// made before it is cloned; a clone that is set afterwards keeps that to itself.
#[derive(Clone, Debug)]
pub struct Provider {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    script: Arc<Lane>,
    models: Vec<(Arc<str>, Arc<Lane>)>,
    dialect: Option<Dialect>,
    reply: Reply,
    quota: Option<Arc<Accounts>>,
    site: Option<Arc<dyn Site>>,
    keep: usize,
    keep_bodies: usize,
    /// When its clock was set, and to what, if it was.
    made: Instant,
    time: Option<SystemTime>,
    record: Arc<Record>,
}

/// A script, and how far it has been played.
struct Lane {
    script: Script,
    next: AtomicU64,
}

impl Provider {
    /// How many requests are remembered unless [`keep`](Self::keep) says otherwise.
    pub const KEEPS: usize = 1_000;

    /// One that always answers well.
    pub fn new() -> Self {
        Self::serving(Step::ok())
    }

    /// One that does this: a [`Script`], a [`Step`], or a list of these.
    pub fn serving(script: impl Into<Script>) -> Self {
        let settings = Settings {
            script: Arc::new(Lane::new(script.into())),
            models: Vec::new(),
            dialect: None,
            reply: Reply::default(),
            quota: None,
            site: None,
            keep: Self::KEEPS,
            keep_bodies: 0,
            made: Instant::now(),
            time: None,
            record: Arc::default(),
        };
        Self { settings: Arc::new(settings) }
    }

    /// One that does what these [words](crate::script) say.
    ///
    /// # Errors
    ///
    /// When they are no script.
    pub fn script(words: &str) -> Result<Self, InvalidScript> {
        words.parse().map(|script: Script| Self::serving(script))
    }

    /// Does this for calls to this model, in an order of its own. Other models get the script that the provider
    /// was made with.
    ///
    /// The model is in the body as a rule, so every request is read to its end before it is known what to do:
    /// [`early`](Step::early) and [`unreachable`](Step::unreachable) are not before that here.
    #[must_use]
    pub fn for_model(self, model: &str, script: impl Into<Script>) -> Self {
        let lane = (model.into(), Arc::new(Lane::new(script.into())));
        self.set(|settings| settings.models.push(lane))
    }

    /// Speaks this dialect, whatever a request looks like. If it is not said, each is answered in its own, and
    /// one that nobody can name as OpenAI's chat.
    #[must_use]
    pub fn dialect(self, dialect: Dialect) -> Self {
        self.set(|settings| settings.dialect = Some(dialect))
    }

    /// What the model says and what it costs, if the step does not say it. How it ends is for the script.
    #[must_use]
    pub fn reply(self, reply: Reply) -> Self {
        self.set(|settings| settings.reply = reply)
    }

    /// How many tokens answers have, if the step does not say it: 16 if this is not called.
    #[must_use]
    pub fn tokens(self, tokens: u64) -> Self {
        self.set(|settings| settings.reply.output_tokens = tokens)
    }

    /// Limits each account, see [`Quota`]. What is over gets an error instead of its step, which is then over.
    #[must_use]
    pub fn limited(self, quota: Quota) -> Self {
        self.set(|settings| settings.quota = Some(Arc::new(Accounts::new(quota))))
    }

    /// Has its answers made at this [`Site`], which may have too few places for all.
    #[must_use]
    pub fn at(self, site: impl Site + 'static) -> Self {
        self.set(|settings| settings.site = Some(Arc::new(site)))
    }

    /// Remembers the last so many requests, [`KEEPS`](Self::KEEPS) if it is not said. None with 0; they are
    /// [counted](Self::counts) all the same.
    #[must_use]
    pub fn keep(self, requests: usize) -> Self {
        self.set(|settings| settings.keep = requests)
    }

    /// Remembers the bodies of requests, too, up to so many bytes of each. They are not if this is not called.
    #[must_use]
    pub fn keep_bodies(self, bytes: usize) -> Self {
        self.set(|settings| settings.keep_bodies = bytes)
    }

    /// What the provider's own clock shows now; it goes on as tokio's does. Dates in answers are by this clock.
    /// If it is not set, it is noon of some day, so that answers repeat byte for byte.
    #[must_use]
    pub fn clock_at(self, time: SystemTime) -> Self {
        self.set(|settings| (settings.made, settings.time) = (Instant::now(), Some(time)))
    }

    /// What arrived, in this order: the last [`keep`](Self::keep) of it.
    pub fn record(&self) -> Vec<Seen> {
        self.settings.record.all()
    }

    /// How many calls there were, and how they ended.
    pub fn counts(&self) -> Counts {
        self.settings.record.counts()
    }

    /// Waits until so many requests have arrived since the beginning.
    pub async fn arrived(&self, requests: u64) {
        self.settings.record.until(|counts| counts.arrived >= requests).await;
    }

    /// Waits until so many calls have ended since the beginning, well or not.
    pub async fn ended(&self, calls: u64) {
        self.settings.record.until(|counts| counts.ended() >= calls).await;
    }

    /// With the clock of the machine, unless it has been given one.
    #[cfg(feature = "serve")]
    pub(crate) fn with_real_clock(self) -> Self {
        if self.settings.time.is_some() { self } else { self.clock_at(SystemTime::now()) }
    }

    /// Sets the clock of an answer that begins where the clock is not set.
    fn tell_time(&self, asked: &mut Asked, now: Instant) {
        let begun = self.settings.time.unwrap_or(asked.at);
        let time = begun.checked_add(now.saturating_duration_since(self.settings.made));
        asked.at = time.unwrap_or(begun);
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }
}

impl Settings {
    /// The script for a model.
    fn lane(&self, model: Option<&str>) -> &Lane {
        let own = self.models.iter().find(|(name, _)| model == Some(name));
        own.map_or(&self.script, |(_, lane)| lane)
    }
}

impl Lane {
    fn new(script: Script) -> Self {
        Self { script, next: AtomicU64::new(0) }
    }

    /// The next step, if it does not depend on the request.
    fn next(&self) -> Option<Step> {
        // Counted only if it is taken.
        self.script.step(0)?;
        self.script.step(self.number()).cloned()
    }

    /// The next step for this request.
    fn next_for(&self, seen: &Seen) -> Step {
        self.script.step_for(self.number(), seen)
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("script", &self.script)
            .field("models", &self.models)
            .field("quota", &self.quota)
            .field("counts", &self.record.counts())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = self.next.load(Ordering::Relaxed);
        f.debug_struct("Lane").field("script", &self.script).field("next", &next).finish()
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self::new()
    }
}

/// Always ready.
impl<B: http_body::Body> Service<Request<B>> for Provider {
    type Response = Response<Body>;
    type Error = Lost;
    type Future = Answering<B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering<B> {
        let (head, body) = request.into_parts();
        Answering::new(self.clone(), head, body)
    }
}
