//! Which calls ask for the same, and may have one answer: for `cache` and `single_flight`.

use battlement_core::request::{
    Operation,
    canonical::{Asked, Fingerprint, Scope},
};
use http::{HeaderMap, HeaderName, Method, Uri, header::CONTENT_ENCODING};

use crate::call::{Caching, Call, Identity};

/// What is told to a layer about which calls ask for the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sameness {
    /// Whatever the temperature is.
    pub(crate) any: bool,
    /// Among all callers.
    pub(crate) shared: bool,
    /// Only among those with the same key, within a tenant, too: what happens to one of them on its way happens to all.
    pub(crate) by_key: bool,
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
        let tenant = call.tenant().filter(|_| !self.shared);
        let mut said = Vec::new();
        let scope = match (self.shared, tenant) {
            (true, _) => Scope::Everybody,
            (false, Some(tenant)) if !self.by_key => Scope::Tenant(tenant.name()),
            (false, tenant) => {
                let identity = Identity::of(headers, uri);
                // Who names the public part of a signature need not be who may sign.
                if identity.is_signed && tenant.is_none() {
                    return None;
                }
                let name = tenant.map_or("", |tenant| tenant.name());
                if !identity.said.is_empty() || !name.is_empty() {
                    said.extend_from_slice(&(name.len() as u64).to_le_bytes());
                    said.extend_from_slice(name.as_bytes());
                    said.extend_from_slice(&identity.said);
                }
                if said.is_empty() { Scope::Nobody } else { Scope::Credential(&said) }
            }
        };
        let (facts, more) = (call.facts(), &*self.headers);
        let key = Asked { facts, method, uri, headers, more, body, scope }.key().ok()?;
        let allowed = self.any || call.caching() == Caching::Allow || key.is_deterministic;
        allowed.then_some(key.fingerprint)
    }
}
