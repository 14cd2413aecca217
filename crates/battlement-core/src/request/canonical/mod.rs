//! One key for requests that ask for the same.
//!
//! Whoever keeps answers, or lets several callers share one, has to know when two requests are the same. Bytes are
//! too strict: SDKs write the members of an object in whatever order their language has. A key that is too lax gives one
//! caller the answer to the question of another. So a [`Fingerprint`] is the same exactly if all is that may
//! change the answer:
//!
//! * **The body**, as JSON: the order of members, space and the spelling of strings make no difference. The spelling of
//!   numbers does, as some servers take `1` where they refuse `1.0`. `stream` counts, since the bytes of a stream
//!   are others, and so do `stream_options`, which add events to it.
//! * **The address**: method, host, path and query, but for a key in the query.
//! * **Who answers, and how**: provider, dialect, and the headers by which providers switch versions and features on.
//! * **Who asks**: the [`Scope`].
//!
//! Left out is what only tells the provider who its end user is, or where its own cache is: `user`, `safety_identifier`,
//! `metadata`, `prompt_cache_key` and `prompt_cache_retention`; but only of OpenAI, Azure and Anthropic, whose documentation
//! says so. Elsewhere a proxy may choose a model by them, and the Responses API writes them into its answer.
//!
//! Callers are not trusted: a prompt may be written by whoever wants to see the answer of another. So keys are made by
//! BLAKE3, which nobody finds collisions of, from a form in which everything has its length. The same request has the same
//! key on every machine.
//!
//! A body is read in one pass, in time linear in its length and without recursion. No tree is built: what is larger than
//! a kilobyte goes on as its hash, so that sorting members moves little. A body that means different things to different
//! servers (a member that is there twice, text that is not Unicode), or that is nested beyond reason, has no key.
//!
//! ```
//! use battlement_core::request::{Facts, canonical::{Asked, Scope}};
//! use http::{HeaderMap, Method, Uri};
//!
//! let uri = Uri::from_static("https://api.openai.com/v1/chat/completions");
//! let (method, headers) = (Method::POST, HeaderMap::new());
//! let key = |body: &[u8], scope| {
//!     let facts = Facts::read(&method, &uri, &headers, body);
//!     Asked { facts: &facts, method: &method, uri: &uri, headers: &headers, more: &[], body, scope }.key()
//! };
//! let one = key(br#"{"model":"m","temperature":0,"messages":[]}"#, Scope::Tenant("acme"))?;
//! let other = key(br#"{ "temperature": 0, "messages": [], "model": "m" }"#, Scope::Tenant("acme"))?;
//! assert_eq!(one, other);
//! assert!(one.is_deterministic);
//! assert_ne!(one, key(br#"{"model":"m","temperature":0,"messages":[]}"#, Scope::Tenant("other"))?);
//! # Ok::<(), battlement_core::request::canonical::NoKey>(())
//! ```

mod form;
#[cfg(test)]
mod tests;

use std::fmt;

use http::{HeaderMap, HeaderName, Method, Uri, header};
use smallvec::SmallVec;

use self::form::Form;
use super::{Facts, NotJson};

/// What is asked, by whom: all that a key is made of.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What was read of the request.
    pub facts: &'a Facts,
    /// Its method.
    pub method: &'a Method,
    /// Its address.
    pub uri: &'a Uri,
    /// Its headers, of which those count that are known to change answers.
    pub headers: &'a HeaderMap,
    /// Other headers that count, as a proxy may know some.
    pub more: &'a [HeaderName],
    /// All of its body.
    pub body: &'a [u8],
    /// Who asks.
    pub scope: Scope<'a>,
}

/// Among whom answers are shared.
///
/// Complete: there is no other way to tell callers apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Everybody.
    Everybody,
    /// Those of one tenant.
    Tenant(&'a str),
    /// Those with one API key. It goes into the hash and nowhere else.
    Credential(&'a [u8]),
    /// Those who have said nothing of themselves.
    Nobody,
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("Everybody"),
            Self::Tenant(name) => f.debug_tuple("Tenant").field(name).finish(),
            Self::Credential(_) => f.write_str("Credential"),
            Self::Nobody => f.write_str("Nobody"),
        }
    }
}

/// The key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The same for all requests that ask for the same.
    pub fingerprint: Fingerprint,
    /// Whether the same answer is asked for each time: a temperature of zero, a seed, or vectors.
    pub is_deterministic: bool,
}

/// What requests that ask for the same have in common, and no others. Tells nothing about them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// One that was written down somewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// To write it down: the same on every machine.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// One for each of several kinds, of requests that are otherwise the same.
    #[must_use]
    pub fn apart(self, kind: u8) -> Self {
        let mut bytes = [kind; 33];
        bytes[..32].copy_from_slice(&self.0);
        Self(*blake3::hash(&bytes).as_bytes())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The request has no key: it cannot be told what else asks for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoKey {
    /// The body is not JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// The body is no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A member is there twice, and servers differ in which one they take.
    #[error("a member is there twice")]
    Duplicate,
    /// A string holds what is not Unicode, or a control character, and servers differ in what they make of it.
    #[error("a string that is not text")]
    NotText,
    /// Containers within containers, beyond all that anybody asks for.
    #[error("nested deeper than {MOST_DEPTH}")]
    TooDeep,
}

/// No request that means something is nested as deep.
const MOST_DEPTH: usize = 128;

/// Headers that change answers, by the beginning of their names.
const FAMILIES: [&str; 3] = ["anthropic-", "openai-", "x-amzn-bedrock-"];

/// And by their names.
const HEADERS: [HeaderName; 2] = [header::ACCEPT, HeaderName::from_static("x-goog-user-project")];

/// Changes with the form that keys are made from.
const VERSION: u8 = 1;

impl Asked<'_> {
    /// The key.
    ///
    /// # Errors
    ///
    /// When the body is none that has one.
    pub fn key(&self) -> Result<Key, NoKey> {
        let mut form = Form::new(self.facts);
        self.head(&mut form);
        form.body(self.body)?;
        Ok(Key { is_deterministic: form.is_deterministic(), fingerprint: Fingerprint(form.hash()) })
    }

    fn head(&self, form: &mut Form<'_>) {
        form.byte(VERSION);
        match self.scope {
            Scope::Everybody => form.byte(0),
            Scope::Tenant(name) => form.tagged(1, name.as_bytes()),
            Scope::Credential(key) => form.tagged(2, key),
            Scope::Nobody => form.byte(3),
        }
        form.text(self.facts.provider.as_str().as_bytes());
        form.text(self.facts.dialect.map_or("", |dialect| dialect.as_str()).as_bytes());
        form.text(self.method.as_str().as_bytes());
        let host = self.headers.get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
        form.text(self.uri.authority().map_or(host, |authority| authority.as_str().as_bytes()));
        form.text(self.uri.path().as_bytes());
        let pairs = self.uri.query().unwrap_or_default().split('&');
        // A key says who asks, and not what.
        for pair in pairs.filter(|pair| !pair.starts_with("key=")) {
            form.tagged(b'?', pair.as_bytes());
        }
        // Others in between may change the order of headers, but not of those with one name.
        let mut names: SmallVec<[&HeaderName; 8]> =
            self.headers.keys().filter(|name| self.counts(name)).collect();
        names.sort_unstable_by_key(|name| name.as_str());
        for name in names {
            for value in self.headers.get_all(name) {
                form.tagged(b'h', name.as_str().as_bytes());
                form.text(value.as_bytes());
            }
        }
    }

    fn counts(&self, name: &HeaderName) -> bool {
        FAMILIES.iter().any(|family| name.as_str().starts_with(family))
            || HEADERS.contains(name)
            || self.more.contains(name)
    }
}
