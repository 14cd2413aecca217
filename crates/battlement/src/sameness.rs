//! Which calls ask for the same, and may have one answer: for `cache` and `single_flight`.

use battlement_core::request::{
    Operation,
    canonical::{Asked, Fingerprint, Scope},
};
use http::{HeaderMap, HeaderName, Method, Uri, header::CONTENT_ENCODING};

use crate::call::{Caching, Call, account};

/// What is told to a layer about which calls ask for the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sameness {
    /// Whatever the temperature is.
    pub(crate) any: bool,
    /// Among all callers.
    pub(crate) shared: bool,
    /// Headers that change answers, beside those that are known to.
    pub(crate) headers: Vec<HeaderName>,
}

/// Whether a call may have an answer that another one has, going by what is known without a look at its body.
pub(crate) fn may_share(call: &Call, method: &Method, headers: &HeaderMap) -> bool {
    let facts = call.facts();
    let has_answer = facts.operation.generates() || facts.operation == Operation::Embeddings;
    call.caching() != Caching::Bypass
        && call.is_held()
        && *method == Method::POST
        && has_answer
        && facts.body_is_json
        && facts.dialect.is_some()
        // What the provider keeps may be something else the next time, and what it does it would not do.
        && !facts.server_state
        && !facts.server_tools
        && !headers.contains_key(CONTENT_ENCODING)
}

impl Sameness {
    /// What a call has in common with those that ask for the same; `None` if its answer is its own.
    pub(crate) fn of(
        &self,
        call: &Call,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<Fingerprint> {
        let scope = match (self.shared, call.tenant(), account(headers, uri)) {
            (true, ..) => Scope::Everybody,
            (false, Some(tenant), _) => Scope::Tenant(tenant.name()),
            (false, None, Some(account)) => Scope::Credential(account),
            (false, None, None) => Scope::Nobody,
        };
        let (facts, more) = (call.facts(), &*self.headers);
        let key = Asked { facts, method, uri, headers, more, body, scope }.key().ok()?;
        let allowed = self.any || call.caching() == Caching::Allow || key.is_deterministic;
        allowed.then_some(key.fingerprint)
    }
}
