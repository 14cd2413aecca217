//! The services that calls go to, made of what the file says.
//!
//! A provider has a stack for each of its keys, with the limits, circuits and waits of that account. A model is a
//! fallback over the stacks it leads to, one for each API that some of them speak. Stacks of providers that a new
//! file leaves as they were are taken over from the old one, with all that they have learnt.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use battlement::{
    call::{CallLayer, Reads},
    concurrency::ConcurrencyLayer,
    fallback::{self, Fallback, FallbackLayer, Route},
    rate_limit::{self, RateLimitLayer},
    retry::RetryLayer,
    retry_after::RetryAfterLayer,
    stack::{self, Stack, Stacked},
    timeout::{TimeoutLayer, Timeouts},
};
use battlement_core::{
    budget::{self, Budget},
    lanes::{Lane, Lanes},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::crypto::ring;
use tower_layer::Layer as _;

use super::headers::Terms;
use crate::config::{self, Family, Secret, Unusable};

/// What is under all layers.
pub(crate) type Client = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What a call is given to.
pub(crate) type Service = Reads<Reads<Fallback<Stacked<Client>, Full<Bytes>>>>;

/// The body of what comes back.
pub(crate) type Answer = fallback::Body<stack::Body<Incoming>>;

/// More than any provider has said to want. Limits that are not set are learnt from its answers.
const BEYOND_ANY: u64 = 10_000_000_000;

/// How long it may take to reach a provider. It is tried again, or another one is, soon enough to matter.
const CONNECT: Duration = Duration::from_secs(10);

/// The client under all stacks.
///
/// With the roots that browsers trust, built in: the program starts without reading files, and runs in a container that
/// has none. Over TLS it speaks HTTP/2 where the other side does.
pub(crate) fn client() -> Client {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    // A stream is many small writes, and each is to arrive when it is written.
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_keepalive(Some(Duration::from_secs(60)));
    let connector = HttpsConnectorBuilder::new()
        // Named, or another crate in the tree that brings ciphers of its own would make it ambiguous.
        .with_provider_and_webpki_roots(ring::default_provider())
        .expect("it has ciphers for the usual versions")
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(connector);
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(90))
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_adaptive_window(true)
        .build(connector)
}

/// A provider, with a stack for each of its keys.
#[derive(Clone)]
pub(super) struct Provided {
    settings: config::Provider,
    secrets: Vec<Secret>,
    lanes: Lanes,
    budget: Arc<Budget>,
    accounts: Vec<Account>,
}

#[derive(Clone)]
struct Account {
    name: Arc<str>,
    key: Option<(HeaderName, HeaderValue)>,
    stack: Stack,
    service: Stacked<Client>,
}

impl Provided {
    pub(super) fn new(
        name: &str,
        settings: &config::Provider,
        lanes: &Lanes,
        client: &Client,
        previous: Option<&Self>,
    ) -> Result<Self, Unusable> {
        let unfit = |message: String| Unusable::Unfit(format!("provider `{name}`: {message}"));
        let secrets = settings.secrets().map_err(&unfit)?;
        let same = previous.filter(|previous| {
            previous.settings == *settings
                && previous.secrets == secrets
                && previous.lanes == *lanes
        });
        if let Some(same) = same {
            return Ok(same.clone());
        }
        // What its keys may repeat is of the provider, which is down for all of them.
        let config::Retries { share, reserve } = settings.retries;
        let budget = budget::Config { share, reserve, ..budget::Config::default() };
        let budget =
            Budget::new(&budget, Instant::now()).map_err(|error| unfit(error.to_string()))?;
        let budget = Arc::new(budget);
        let stack = stack_of(settings, lanes, secrets.len(), &budget).map_err(&unfit)?;
        let (header, before) = settings.kind.key_header();
        let mut accounts = Vec::new();
        for (number, secret) in
            (1..).zip(secrets.iter().map(Some).chain(secrets.is_empty().then_some(None)))
        {
            let key = match secret {
                Some(secret) => {
                    let value = secret.header(before);
                    let value =
                        value.ok_or_else(|| unfit("the key cannot be in a header".into()))?;
                    Some((header.clone(), value))
                }
                None => None,
            };
            let name = if number == 1 { name.into() } else { format!("{name}#{number}").into() };
            // Limits and circuits are of one key: a stack of its own for each.
            let stack = if number == 1 {
                stack.clone()
            } else {
                stack_of(settings, lanes, secrets.len(), &budget).map_err(&unfit)?
            };
            let service = stack.layer(client.clone());
            accounts.push(Account { name, key, stack, service });
        }
        Ok(Self { settings: settings.clone(), secrets, lanes: lanes.clone(), budget, accounts })
    }

    /// What its calls come to at worst.
    pub(super) fn stack(&self) -> Option<&Stack> {
        self.accounts.first().map(|account| &account.stack)
    }

    pub(super) fn speaks(&self, family: Family) -> bool {
        self.settings.families().contains(&family)
    }

    /// Its accounts as routes, for calls of this model.
    fn routes<'a>(
        &'a self,
        target: Option<&'a config::Target>,
        public: &'a str,
    ) -> impl Iterator<Item = Result<(Route, Arc<str>, &'a Stacked<Client>), Unusable>> {
        self.accounts.iter().map(move |account| {
            let model =
                target.and_then(|target| target.model.as_deref()).filter(|model| *model != public);
            let mut route =
                Route::new(account.name.clone()).provider(self.settings.kind.provider());
            if !self.settings.pass_key {
                // Which takes out whatever key the client has brought.
                let base = self.settings.base().unwrap_or_default();
                route = route.base(base).map_err(|error| Unusable::Unfit(error.to_string()))?;
            }
            if let Some((name, value)) = &account.key {
                route = route.header(name.clone(), value.clone());
            }
            if let Some(model) = model {
                route = route.model(model);
            }
            if let Some(target) = target {
                if let Some(most) = target.max_output_tokens {
                    route = route.max_output_tokens(most.get());
                }
                route = route.without(target.without.iter().map(String::as_str));
            }
            Ok((route, account.name.clone(), &account.service))
        })
    }
}

fn stack_of(
    settings: &config::Provider,
    lanes: &Lanes,
    keys: usize,
    budget: &Arc<Budget>,
) -> Result<Stack, String> {
    let provider = settings.kind.provider();
    let text = |error: &dyn std::error::Error| error.to_string();
    let call = CallLayer::new().provider(provider).lanes(lanes.clone());
    let base = settings.base().unwrap_or_default();
    let mut stack = Stack::of(provider).base(base).map_err(|error| text(&error))?.call(call);
    stack = stack
        .retry(RetryLayer::new().budget(budget.clone()))
        .timeout(timeouts(&settings.timeouts).map_err(|error| text(&error))?);
    let mut gate = RetryAfterLayer::new(Default::default()).map_err(|error| text(&error))?;
    for lane in Lane::ALL {
        // With other keys at hand, nobody waits for one.
        let patience = if keys > 1 { Duration::ZERO } else { lanes.terms(lane).waiting };
        gate = gate.patience(lane, patience);
    }
    stack = stack.retry_after(gate);
    let limits = settings.limits;
    if limits.requests_per_minute.is_some() || limits.tokens_per_minute.is_some() {
        let requests = limits.requests_per_minute.map_or(BEYOND_ANY, Into::into);
        let mut config = rate_limit::Config::new(provider).requests_per_minute(requests);
        if let Some(tokens) = limits.tokens_per_minute {
            config = config.tokens_per_minute(tokens.get());
        }
        stack = stack.rate_limit(RateLimitLayer::new(config).map_err(|error| text(&error))?);
    }
    if let Some(limit) = limits.concurrency {
        stack =
            stack.concurrency(ConcurrencyLayer::new(limit.get()).map_err(|error| text(&error))?);
    }
    Ok(stack)
}

fn timeouts(
    settings: &config::Timeouts,
) -> Result<TimeoutLayer, battlement::timeout::InvalidTimeouts> {
    let of = |own: Option<config::Limit>, usual| own.map_or(usual, config::Limit::get);
    let (mut streaming, mut whole) = (Timeouts::streaming(), Timeouts::whole());
    streaming.head = of(settings.head, streaming.head);
    streaming.output = of(settings.first_output, streaming.output);
    for limits in [&mut streaming, &mut whole] {
        limits.idle = of(settings.idle, limits.idle);
        limits.total = of(settings.total, limits.total);
    }
    TimeoutLayer::new(streaming, whole)
}

/// The terms of the classes, checked.
pub(super) fn lanes(terms: &Terms) -> Result<Lanes, Unusable> {
    let [interactive, deferred, batch] = terms.0;
    Lanes::new(interactive, deferred, batch).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        Unusable::Unfit(format!("{error}{}", source.unwrap_or_default()))
    })
}

/// The service for a model that is called so, over these providers. `None` if none of them speaks this.
pub(super) fn service(
    public: &str,
    targets: &[(Option<&config::Target>, &Provided)],
    family: Family,
    call: &CallLayer,
) -> Result<Option<Service>, Unusable> {
    let spoken: Vec<_> = targets.iter().filter(|(_, provided)| provided.speaks(family)).collect();
    let pool = match spoken[..] {
        [(_, provided)] => Some(provided.budget.clone()),
        _ => None,
    };
    let mut names = HashSet::new();
    let mut routes = spoken
        .into_iter()
        .flat_map(|(target, provided)| provided.routes(*target, public))
        .map(|route| {
            let (route, name, service) = route?;
            if names.insert(name.clone()) {
                Ok((route, service))
            } else {
                Err(Unusable::Unfit(format!("model `{public}` leads to `{name}` twice")))
            }
        });
    let Some(first) = routes.next() else { return Ok(None) };
    let (first, own) = first?;
    let mut builder = match pool {
        Some(budget) => FallbackLayer::key_pool(first).budget(budget),
        None => FallbackLayer::builder(first),
    };
    for route in routes {
        let (route, service) = route?;
        builder = builder.route(route, service.clone());
    }
    let layer =
        builder.build().map_err(|error| Unusable::Unfit(format!("model `{public}`: {error}")))?;
    Ok(Some(call.layer(layer.layer(own.clone()))))
}
