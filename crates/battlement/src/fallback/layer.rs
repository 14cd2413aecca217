//! The layer, its settings, and the way to the first route.

use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use battlement_core::{
    budget::Budget,
    fallback::{Choice, Journey, MOST_ROUTES, Policy},
    random,
};
use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Body, Handle, NoRoute, ResponseFuture, Route, Served,
    lease::Lease,
    other::Other,
    roster::{Entry, Roster},
    walk::{Walk, Way},
};
use crate::{
    call::{Attempt, Place, Reads},
    drive::Drive,
    error::BoxError,
    observe::Settling,
    replay::Replay,
    seed,
};

/// Services of any type, as routes.
pub(super) type Others<B> = Arc<[Box<dyn Other<B>>]>;

/// Goes elsewhere when a route cannot serve a call; see the [module documentation](super).
///
/// The service that it is laid over is the first route. `B` is the body of requests.
#[must_use]
pub struct FallbackLayer<B> {
    roster: Arc<Roster>,
    others: Others<B>,
}

impl<B> FallbackLayer<B> {
    /// Begins with the route that is the service which the layer is laid over.
    pub fn builder(first: impl Into<Route>) -> Builder<B> {
        Builder {
            routes: vec![first.into()],
            others: Vec::new(),
            choice: Choice::Ordered,
            policy: Policy::default(),
            budget: None,
            seed: seed::fresh(),
        }
    }

    /// As [`FallbackLayer::builder`], for routes that differ in their key only: the one with the fewest calls on
    /// their way is asked first, and [`Policy::key_pool`] says when to take the next key.
    pub fn key_pool(first: impl Into<Route>) -> Builder<B> {
        Self::builder(first).policy(Policy::key_pool()).choice(Choice::LeastLoaded)
    }

    /// The handle that changes order, weights and what is on, and shows how the routes stand.
    pub fn handle(&self) -> Handle {
        Handle { roster: self.roster.clone() }
    }
}

/// The settings of a [`FallbackLayer`].
#[must_use]
pub struct Builder<B> {
    routes: Vec<Route>,
    others: Vec<Box<dyn Other<B>>>,
    choice: Choice,
    policy: Policy,
    budget: Option<Arc<Budget>>,
    seed: u64,
}

impl<B> Builder<B> {
    /// With another route, and the service that calls it: mostly a [`Stack`](crate::stack::Stack) of its own over
    /// a client of its own, as limits and circuits are of one provider and account.
    pub fn route<S, R>(mut self, route: impl Into<Route>, service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Send + 'static,
        R: http_body::Body<Data = Bytes> + Send + Sync + 'static,
        R::Error: Into<BoxError>,
    {
        self.routes.push(route.into());
        self.others.push(Box::new(service));
        self
    }

    /// Which route is asked first, and which next. The first by order unless told otherwise.
    pub fn choice(mut self, choice: Choice) -> Self {
        self.choice = choice;
        self
    }

    /// Which failures move a call on.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Pays from this budget for each call that moves on after something was sent. For routes that lead to the
    /// same provider: it is to be the budget of their retries. Without one, the attempts of each
    /// call are the only bound.
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Draws by weight from this seed, so that a run can be repeated. From a fresh one unless told otherwise.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// When two routes have the same name, or there are more than [`MOST_ROUTES`].
    pub fn build(self) -> Result<FallbackLayer<B>, InvalidRoutes> {
        if self.routes.len() > MOST_ROUTES {
            return Err(InvalidRoutes::TooMany { routes: self.routes.len() });
        }
        let mut names = HashSet::new();
        if let Some(twice) = self.routes.iter().find(|route| !names.insert(&route.name)) {
            return Err(InvalidRoutes::Twice { name: twice.name.clone() });
        }
        let policy = self.policy;
        let entries = (0..).zip(self.routes);
        let entries = entries.map(|(rank, route)| Entry::new(route, rank, &policy)).collect();
        let random = random::Shared::new(self.seed);
        let (choice, budget) = (self.choice, self.budget);
        let roster = Arc::new(Roster { entries, choice, policy, budget, random });
        Ok(FallbackLayer { roster, others: self.others.into() })
    }
}

/// These routes cannot be told apart, or are too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRoutes {
    /// Two have the same name.
    #[error("two routes are named {name:?}")]
    Twice {
        /// The name.
        name: Arc<str>,
    },
    /// There are more than [`MOST_ROUTES`].
    #[error("{routes} routes are more than {MOST_ROUTES}")]
    TooMany {
        /// How many.
        routes: usize,
    },
}

impl<S, B> Layer<S> for FallbackLayer<B> {
    type Service = Reads<Fallback<S, B>>;

    fn layer(&self, inner: S) -> Self::Service {
        let (roster, others) = (self.roster.clone(), self.others.clone());
        Reads::before(Fallback { inner, roster, others })
    }
}

/// Goes elsewhere when a route cannot serve a call; see the [module documentation](super).
pub struct Fallback<S, B> {
    inner: S,
    roster: Arc<Roster>,
    others: Others<B>,
}

impl<S, B, R> Service<Request<B>> for Fallback<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::at(&mut request, Place::Fallback);
        let (call, roster) = (attempt.call(), &self.roster);
        let standings = roster.standings();
        let (mut journey, mut trail) = (Journey::default(), Vec::new());
        let Some(first) = roster.choose(call, &mut journey, &standings, &mut trail) else {
            let error = NoRoute { routes: trail }.into();
            attempt.failed(&error);
            return ResponseFuture::rejected(error);
        };
        // What refers to state that one provider keeps means nothing anywhere else.
        let is_bound = call.facts().server_state && !call.is_repeatable();
        let could_move = call.is_held() && !is_bound;
        let has_next = could_move && roster.has_next(call, &journey, &standings);
        let is_plain = first == 0 && roster.entries[0].route.is_plain(call);
        let walk = |way, is_new, trail| {
            let (service, attempt) = (self.inner.clone(), attempt.clone());
            let (roster, others) = (roster.clone(), self.others.clone());
            Walk { roster, others, service, attempt, is_new, journey, trail, way }
        };
        if !has_next && !is_plain {
            return ResponseFuture::elsewhere(walk(Way::Once(Some(request)), true, trail), first);
        }
        let (walk, request) = if has_next {
            match Replay::of(request) {
                Ok((replay, request)) => {
                    let way = Way::Replay(replay);
                    if !is_plain {
                        return ResponseFuture::elsewhere(walk(way, true, trail), first);
                    }
                    (Some(Box::new(walk(way, false, Vec::new()))), request)
                }
                Err(error) => {
                    let error = error.into();
                    attempt.failed(&error);
                    return ResponseFuture::rejected(error);
                }
            }
        } else {
            (None, request)
        };
        let entry = &roster.entries[0];
        attempt.send(entry.errand(has_next));
        let served = Served { route: entry.route.name.clone(), trail };
        // There before the service is called: a panic gives it back.
        let settling = Settling::new(attempt, Lease::new(roster.clone(), 0, None));
        let drive = Drive::start(&mut self.inner, request);
        ResponseFuture::first(drive, settling, served, walk)
    }
}

impl<B> Clone for FallbackLayer<B> {
    fn clone(&self) -> Self {
        Self { roster: self.roster.clone(), others: self.others.clone() }
    }
}

impl<S: Clone, B> Clone for Fallback<S, B> {
    fn clone(&self) -> Self {
        let (roster, others) = (self.roster.clone(), self.others.clone());
        Self { inner: self.inner.clone(), roster, others }
    }
}

impl<B> fmt::Debug for FallbackLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackLayer").field("routes", &self.handle()).finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for Builder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("routes", &self.routes).finish_non_exhaustive()
    }
}

impl<S, B> fmt::Debug for Fallback<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = Handle { roster: self.roster.clone() };
        f.debug_struct("Fallback").field("routes", &routes).finish_non_exhaustive()
    }
}
