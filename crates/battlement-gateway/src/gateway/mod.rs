//! From a request to an answer.
//!
//! What a client sends goes on byte for byte, and so does what comes back: a proxy that takes JSON apart and puts it
//! together again loses what it does not know, the order that signatures and caches depend on, and its time. The
//! request is read in one pass for the name of the model, which chooses the [service](routes); what the route has
//! to change (the model's name, a cap) is changed in place.
//!
//! Whatever goes wrong is told in the dialect that the client speaks, in words, with a status by the kind of failure.
//! Everything that a call holds is in one future, and then in the body: a client that leaves drops it, and with it the call
//! to the provider, at whatever stage that is.

mod access;
mod answer;
mod body;
mod headers;
mod models;
mod path;
mod report;
mod routes;

use std::{
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use battlement::{BoxError, Error, call::CallLayer, fallback::Served};
use battlement_core::{
    Code, Dialect,
    request::Facts,
    write::{ErrorBody, Form},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, Uri, request::Parts};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;
use tower_service::Service as _;

pub(crate) use body::Outgoing;
pub(crate) use headers::Terms;
pub(crate) use routes::{Client, Service, client};

use self::{
    access::Clients,
    answer::Refusal,
    models::Models,
    path::{Nowhere, Target},
    report::Report,
    routes::Provided,
};
use crate::config::{Config, Family, Log, Unusable};

/// Everything that one version of the file comes to. Calls keep the one that they began with.
pub(crate) struct Gateway {
    config: Config,
    client: Client,
    terms: Terms,
    providers: BTreeMap<String, Provided>,
    models: HashMap<String, Services>,
    /// By what names begin with, in the order of the file.
    patterns: Vec<(String, Services)>,
    /// For what names no model.
    kept: Services,
    list: Models,
    clients: Clients,
    ids: Ids,
}

/// A service for each family in which something can be asked.
#[derive(Clone, Default)]
struct Services([Option<Service>; Family::ALL.len()]);

/// Ids of requests: no two are the same, here and elsewhere.
struct Ids {
    start: u64,
    next: AtomicU64,
}

impl Ids {
    fn new() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        Self { start: RandomState::new().hash_one(Instant::now()), next: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        format!("bt-{:016x}-{}", self.start, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Gateway {
    /// What the file says. What it says of a provider as the previous one did keeps all that was learnt.
    pub(crate) fn new(
        config: Config,
        client: Client,
        previous: Option<&Self>,
    ) -> Result<Self, Unusable> {
        let terms = Terms::from(&config.classes);
        let lanes = routes::lanes(&terms)?;
        let mut providers = BTreeMap::new();
        for (name, settings) in &config.providers {
            let previous = previous.and_then(|previous| previous.providers.get(name));
            providers
                .insert(name.clone(), Provided::new(name, settings, &lanes, &client, previous)?);
        }
        let call = CallLayer::new().lanes(lanes).most_body(config.server.max_body.get() as u64);
        let (mut models, mut patterns) = (HashMap::new(), Vec::new());
        let mut order: Vec<&str> = Vec::new();
        for model in &config.models {
            let name = model.name.as_ref().as_str();
            let mut targets = Vec::new();
            for target in model.to.as_ref() {
                let provider = target.provider.as_ref().as_str();
                order.push(provider);
                targets.extend(providers.get(provider).map(|provided| (Some(target), provided)));
            }
            let services = Services::new(|family| routes::service(name, &targets, family, &call))?;
            match name.strip_suffix('*') {
                Some(start) => patterns.push((start.to_owned(), services)),
                None => drop(models.insert(name.to_owned(), services)),
            }
        }
        let kept = Services::new(|family| {
            let mut named = order.iter().filter_map(|name| providers.get(*name));
            match named.find(|provided| provided.speaks(family)) {
                Some(provided) => routes::service("", &[(None, provided)], family, &call),
                None => Ok(None),
            }
        })?;
        let clients = Clients::new(&config.clients, Instant::now());
        let list = Models::new(&config);
        let ids = Ids::new();
        Ok(Self { config, client, terms, providers, models, patterns, kept, list, clients, ids })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What the calls to a provider come to at worst.
    pub(crate) fn stack(&self, provider: &str) -> Option<&battlement::stack::Stack> {
        self.providers.get(provider)?.stack()
    }

    /// One target alone, in the first family that its provider speaks.
    pub(crate) fn alone(
        &self,
        public: &str,
        target: &crate::config::Target,
    ) -> Result<Option<(Family, Service)>, Unusable> {
        let Some(provided) = self.providers.get(target.provider.as_ref()) else { return Ok(None) };
        let Some(family) = Family::ALL.into_iter().find(|family| provided.speaks(*family)) else {
            return Ok(None);
        };
        let call = CallLayer::new().lanes(routes::lanes(&self.terms)?);
        let service = routes::service(public, &[(Some(target), provided)], family, &call)?;
        Ok(service.map(|service| (family, service)))
    }

    /// Answers a request, whatever it is.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Outgoing> {
        let (parts, body) = request.into_parts();
        let id = self.ids.next();
        let target = match path::target(&parts.method, parts.uri.path()) {
            Ok(target) => target,
            Err(nowhere) => {
                let dialect = path::dialect_near(parts.uri.path());
                return Refusal::nowhere(nowhere).response(dialect, Form::Document, &id);
            }
        };
        let dialect = target.dialect();
        match target {
            Target::Alive | Target::Ready => return answer::text("ok\n"),
            Target::Models(_) | Target::Model(..) | Target::Call { .. } | Target::Kept { .. } => {}
        }
        let mut report = Report {
            id,
            started: Instant::now(),
            client: None,
            path: answer::name(&target, dialect),
            model: None,
            route: None,
            status: None,
            code: None,
            attempt: None,
            attempts: 0,
            most_attempts: 1,
            is_on: self.config.log != Log::Off,
        };
        let result = self.pass(&parts, body, &target, &mut report).await;
        match result {
            Ok(response) => {
                let is_ours = !self.passes_key(&response);
                answer::passed(response, parts, dialect, report, is_ours)
            }
            Err(Answered::Here(json)) => {
                report.status = Some(StatusCode::OK);
                answer::json(json)
            }
            Err(Answered::Refused(refusal)) => {
                let mut response = refusal.response(dialect, Form::Document, &report.id);
                answer::close_if_unread(&mut response, &parts, &refusal);
                report.status = Some(response.status());
                report.code = Some(refusal.code);
                response
            }
            Err(Answered::Failed(error, form)) => {
                let response = answer::failed(error, dialect, form, &mut report);
                report.status = Some(response.status());
                response
            }
        }
    }

    /// Lets a request through to where it leads.
    async fn pass(
        &self,
        parts: &Parts,
        body: Incoming,
        target: &Target<'_>,
        report: &mut Report,
    ) -> Result<Response<routes::Answer>, Answered> {
        let key = headers::key(&parts.headers, parts.uri.query());
        let client = self.clients.admit(key, Instant::now()).map_err(Refusal::from)?;
        report.client = client.map(str::to_owned);
        let (dialect, family, model) = match target {
            Target::Call { dialect, family, model } => (*dialect, *family, *model),
            Target::Kept { dialect, family } => (*dialect, *family, None),
            Target::Models(family) => {
                let is_anthropic = parts.headers.contains_key("anthropic-version");
                let family = if is_anthropic { Family::Anthropic } else { *family };
                return Err(Answered::Here(self.list.list(family)));
            }
            Target::Model(family, name) => {
                let one = self.list.one(*family, name);
                return Err(one.map_or_else(|| Refusal::no_model(name).into(), Answered::Here));
            }
            Target::Alive | Target::Ready => return Err(Answered::Here(String::new())),
        };
        let options = headers::options(&parts.headers, &self.terms, client, report.started);
        let (options, attempts) = options.map_err(Refusal::bad)?;
        report.most_attempts = attempts;
        let options = options.dialect(dialect);
        let body = self.read(body).await?;
        let mut form = Form::Document;
        let service = if let Target::Kept { .. } = target {
            self.kept.of(family).ok_or_else(|| Refusal::not_spoken("the providers here", family))?
        } else {
            let facts = Facts::read_as(dialect, &parts.method, &parts.uri, &parts.headers, &body);
            form = Form::asked(dialect, facts.stream, &parts.uri);
            if !facts.body_is_json {
                return Err(Refusal::bad("the body is no JSON object").into());
            }
            let model = model.or(facts.model.as_deref());
            let model =
                model.ok_or_else(|| Refusal::bad("`model` is missing: which one is asked for?"))?;
            report.model = Some(model.to_owned());
            let services = self.services(model).ok_or_else(|| Refusal::no_model(model))?;
            services.of(family).ok_or_else(|| Refusal::not_spoken(model, family))?
        };
        let mut service = service.clone();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() =
            parts.uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from);
        *request.headers_mut() = parts.headers.clone();
        headers::clean_request(request.headers_mut());
        request.extensions_mut().insert(options);
        let failed = |error| Answered::Failed(Error::from(error), form);
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
        service.call(request).await.map_err(failed)
    }

    /// The whole body, which routes send again, and only so much of it for so long.
    async fn read(&self, body: Incoming) -> Result<Bytes, Refusal> {
        let server = &self.config.server;
        let most = server.max_body.get();
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if body.size_hint().lower() > most as u64 {
            return Err(Refusal::too_large(server.max_body));
        }
        match timeout(server.body_time.get(), gather(Limited::new(body, most))).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(Refusal::too_large(server.max_body))
            }
            Ok(Err(_)) => Err(Refusal::unread()),
            Err(_) => Err(Refusal::too_slow(server.body_time)),
        }
    }

    /// Whether the key that it was asked with is that of the client.
    fn passes_key(&self, response: &Response<routes::Answer>) -> bool {
        // A second key of a provider has another name, and is none of a client.
        let served = response.extensions().get::<Served>();
        let provider = served.and_then(|served| self.config.providers.get(served.route()));
        provider.is_some_and(|provider| provider.pass_key)
    }

    fn services(&self, model: &str) -> Option<&Services> {
        let pattern = || self.patterns.iter().find(|(start, _)| model.starts_with(&**start));
        self.models.get(model).or_else(|| pattern().map(|(_, services)| services))
    }
}

impl Services {
    fn new(
        mut service: impl FnMut(Family) -> Result<Option<Service>, Unusable>,
    ) -> Result<Self, Unusable> {
        let mut services = Self::default();
        for family in Family::ALL {
            services.0[family as usize] = service(family)?;
        }
        Ok(services)
    }

    fn of(&self, family: Family) -> Option<&Service> {
        self.0[family as usize].as_ref()
    }
}

/// All of a body. What comes in one piece is not copied, and many small ones become one: each would hold a whole buffer.
async fn gather(mut body: Limited<Incoming>) -> Result<Bytes, BoxError> {
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// What is answered without a provider's answer.
enum Answered {
    /// It is known here.
    Here(String),
    /// It was not passed on.
    Refused(Refusal),
    /// It was, and there is no answer.
    Failed(Error, Form),
}

impl From<Refusal> for Answered {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
