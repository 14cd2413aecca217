//! A route: its name, and what is changed about a request that goes there.

use std::{borrow::Cow, fmt, sync::Arc};

use battlement_core::{
    Dialect, Provider,
    fallback::{Capabilities, Lack},
    request::{
        Facts, detect,
        rewrite::{self, Edit, RewriteError},
    },
};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue,
    header::{AUTHORIZATION, CONTENT_LENGTH, HOST, InvalidHeaderValue},
    request::Parts,
};

use super::Why;
use crate::{
    call::{Call, forget, is_credential},
    stack::{Base, InvalidBase},
};

/// A way to an answer: another model, another provider, another key.
///
/// It says what is changed about a request that goes there, down to the byte; everything else stays as it
/// was written. What speaks another dialect cannot be a route: requests and answers are not
/// translated.
#[derive(Clone)]
#[must_use]
pub struct Route {
    pub(crate) name: Arc<str>,
    base: Option<Base>,
    /// What is set, and what is taken out.
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
    model: Option<Box<str>>,
    most_output: Option<u64>,
    without: Vec<Box<str>>,
    provider: Option<Provider>,
    dialect: Option<Dialect>,
    pub(super) can: Capabilities,
    pub(super) weight: u32,
    pub(super) is_on: bool,
}

impl Route {
    /// Where requests go as they are. The name is for the handle, events and logs.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            base: None,
            headers: Vec::new(),
            model: None,
            most_output: None,
            without: Vec::new(),
            provider: None,
            dialect: None,
            can: Capabilities::default(),
            weight: 1,
            is_on: true,
        }
    }

    /// Requests go to this address, wherever they were to go: scheme, host and what is before the path.
    ///
    /// No key goes along that a request has brought: it is for somebody else. Set the one for this route.
    ///
    /// # Errors
    ///
    /// When it is no address of a server.
    pub fn base(mut self, url: &str) -> Result<Self, InvalidBase> {
        self.base = Some(Base::parse(url)?);
        Ok(self)
    }

    /// Sets a header. One that carries a key takes the place of every other key of the request,
    /// wherever that is.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, Some(value)));
        self
    }

    /// Sets the key, as `authorization: Bearer …`; see [`Route::header`].
    ///
    /// # Errors
    ///
    /// When it cannot be in a header.
    pub fn bearer(self, key: &str) -> Result<Self, InvalidHeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {key}"))?;
        value.set_sensitive(true);
        Ok(self.header(AUTHORIZATION, value))
    }

    /// Takes a header out.
    pub fn without_header(mut self, name: HeaderName) -> Self {
        self.headers.push((name, None));
        self
    }

    /// Asks for another model, in the body or the path, where the dialect has it.
    pub fn model(mut self, model: impl Into<Box<str>>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Asks for no more output than this. A request that asks for less, or names no cap, stays.
    pub fn max_output_tokens(mut self, most: u64) -> Self {
        self.most_output = Some(most);
        self
    }

    /// Takes members out of the body, by their names at its top level: what this provider does not
    /// take. Mistral refuses a `stream_options`, reasoning models a `temperature`.
    pub fn without(mut self, names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.without.extend(names.into_iter().map(Into::into));
        self
    }

    /// Who answers here, where the address does not tell.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// What is spoken here. A call in another dialect passes it by; without this, every call is taken to
    /// be understood.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// What can be asked of it. Everything, unless told otherwise.
    pub fn capabilities(mut self, can: Capabilities) -> Self {
        self.can = can;
        self
    }

    /// Its share, where routes are chosen by weight or by load. 1 unless told otherwise; with 0 it is asked
    /// when no other is left.
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Is not asked, until the [`Handle`](super::Handle) switches it on.
    pub fn off(mut self) -> Self {
        self.is_on = false;
        self
    }

    /// Whether requests go there as they are.
    pub(super) fn is_plain(&self, call: &Call) -> bool {
        self.base.is_none()
            && self.headers.is_empty()
            && !self.needs_body()
            && self.provider.is_none_or(|provider| provider == call.facts().provider)
    }

    fn needs_body(&self) -> bool {
        self.model.is_some() || self.most_output.is_some() || !self.without.is_empty()
    }

    /// Why it cannot serve a call, if it cannot.
    pub(super) fn unfit(&self, call: &Call) -> Option<Why> {
        let facts = call.facts();
        if let (Some(spoken), Some(asked)) = (self.dialect, facts.dialect) {
            if spoken != asked {
                return Some(Why::Dialect(asked));
            }
        }
        if self.needs_body() && !call.is_held() {
            return Some(Why::Unread);
        }
        self.lacks(facts).map(Why::Lacks)
    }

    fn lacks(&self, facts: &Facts) -> Option<Lack> {
        let cap = match (facts.max_output_tokens, self.most_output) {
            (Some(cap), Some(most)) => Some(cap.min(most)),
            (cap, _) => cap,
        };
        self.can.lacks(facts, cap)
    }

    /// Makes the request one for this route, and the body, if that is in memory.
    pub(crate) fn rewrite(
        &self,
        parts: &mut Parts,
        body: Option<&Bytes>,
        facts: &Facts,
    ) -> Result<Option<Bytes>, RewriteError> {
        self.rewrite_head(parts);
        let at = detect::of_request(&parts.method, &parts.uri, &parts.headers);
        let known = Some(at.provider).filter(|provider| *provider != Provider::Generic);
        let provider = self.provider.or(known).unwrap_or(facts.provider);
        let dialect = facts.dialect.or_else(|| provider.usual_dialect());
        let dialect = dialect.unwrap_or(Dialect::OpenAiChat);
        if let Some(model) = &self.model {
            if facts.model.is_some() || facts.body_is_json {
                parts.uri = rewrite::uri_model(dialect, &parts.uri, model)?;
            }
        }
        let Some(body) = body.filter(|_| facts.body_is_json) else { return Ok(body.cloned()) };
        let edit = Edit {
            model: self.model.as_deref(),
            max_output_tokens: self
                .most_output
                .filter(|&most| facts.max_output_tokens.is_some_and(|cap| cap > most)),
            ..Edit::default()
        };
        let mut changed: Option<Bytes> = None;
        if let Cow::Owned(edited) = edit.apply(dialect, provider, body)? {
            changed = Some(edited.into());
        }
        if !self.without.is_empty() {
            let without = rewrite::without(changed.as_ref().unwrap_or(body), &self.without)?;
            if let Cow::Owned(without) = without {
                changed = Some(without.into());
            }
        }
        if let (Some(changed), true) = (&changed, parts.headers.contains_key(CONTENT_LENGTH)) {
            parts.headers.insert(CONTENT_LENGTH, changed.len().into());
        }
        Ok(Some(changed.unwrap_or_else(|| body.clone())))
    }

    fn rewrite_head(&self, parts: &mut Parts) {
        let brings_key =
            self.headers.iter().any(|(name, value)| value.is_some() && is_credential(name));
        if self.base.is_some() || brings_key {
            forget(&mut parts.headers, &mut parts.uri);
        }
        if let Some(uri) = self.base.as_ref().and_then(|base| base.instead_of(&parts.uri)) {
            parts.uri = uri;
            parts.headers.remove(HOST);
        }
        for (name, value) in &self.headers {
            match value {
                Some(value) => drop(parts.headers.insert(name, value.clone())),
                None => drop(parts.headers.remove(name)),
            }
        }
    }

    /// Who answers here, if that was said.
    pub(crate) fn answers(&self) -> Option<Provider> {
        self.provider
    }
}

impl From<&str> for Route {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// Without the values of headers, one of which is mostly a key.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("name", &self.name)
            .field("base", &self.base)
            .field("model", &self.model)
            .field("most_output", &self.most_output)
            .field("without", &self.without)
            .field("can", &self.can)
            .finish_non_exhaustive()
    }
}
