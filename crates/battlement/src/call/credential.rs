//! Which account a call is made on, told by its key, and without keeping the key.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use http::{
    HeaderMap, Uri,
    header::{AUTHORIZATION, HeaderName},
};

/// A key, as a number that tells it from others and says nothing about it.
///
/// Another one in every process, so that it is of no use to whoever finds it in a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credential(u64);

/// What numbers are made with; secret, and gone with the process.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Where providers look for a key, apart from `authorization`.
const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// What goes with a key: it means nothing, or is refused, with another one.
const WITH_A_KEY: [HeaderName; 2] =
    [HeaderName::from_static("openai-organization"), HeaderName::from_static("openai-project")];

/// Whether a header says on which account a call is made.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    *name == AUTHORIZATION || HEADERS.contains(name)
}

/// Takes every key out of a request, so that nobody gets to see one who is not meant to.
pub(crate) fn forget(headers: &mut HeaderMap, uri: &mut Uri) {
    headers.remove(AUTHORIZATION);
    for name in HEADERS.iter().chain(&WITH_A_KEY) {
        headers.remove(name);
    }
    let Some(query) = uri.query().filter(|query| keys(query).next().is_some()) else { return };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(KEY)).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    let path = format!("{}{mark}{}", uri.path(), kept.join("&"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    // A part of what was an address is one.
    if let Ok(without) = Uri::from_parts(parts) {
        *uri = without;
    }
}

/// Google's way to carry a key.
const KEY: &str = "key=";

fn keys(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter_map(|pair| pair.strip_prefix(KEY))
}

impl Credential {
    /// Of the key itself, as in `sk-…`.
    pub fn of(key: &str) -> Self {
        Self(HASHER.hash_one(key.as_bytes()))
    }

    /// Of the key that a request carries.
    pub(super) fn of_request(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        account(headers, uri).map(|account| Self(HASHER.hash_one(account)))
    }
}

/// What tells the account that a request is made on: its key, or whatever else stays the same.
fn account<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a [u8]> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        return Some(authorized(value.as_bytes()));
    }
    if let Some(value) = HEADERS.iter().find_map(|name| headers.get(name)) {
        return Some(value.as_bytes());
    }
    keys(uri.query()?).next().map(str::as_bytes)
}

/// Everything in a request that says who makes it, for those who must not take two callers for one: every header that
/// may, whoever reads it, and every key in the address.
#[cfg(feature = "cache")]
pub(crate) struct Identity {
    /// What was said, each with its length. Empty if nothing was.
    pub(crate) said: Vec<u8>,
    /// Whether a part of it is a signature, of which only the public part stays the same: it proves nothing here.
    pub(crate) is_signed: bool,
}

/// What the name of a header has in it that may say who makes a call.
#[cfg(feature = "cache")]
const SAYS_WHO: [&str; 6] = ["auth", "key", "token", "secret", "cookie", "credential"];

#[cfg(feature = "cache")]
impl Identity {
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        let (mut said, mut is_signed) = (Vec::new(), false);
        let mut say = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), value] {
                said.extend_from_slice(&(part.len() as u64).to_le_bytes());
                said.extend_from_slice(part);
            }
        };
        let says_who = |name: &HeaderName| {
            let name = name.as_str();
            SAYS_WHO.iter().any(|part| name.contains(part)) && !name.contains("idempotency")
        };
        let mut names: Vec<&HeaderName> = headers.keys().filter(|name| says_who(name)).collect();
        names.sort_unstable_by_key(|name| name.as_str());
        for name in names {
            for value in headers.get_all(name) {
                let stays = if *name == AUTHORIZATION {
                    authorized(value.as_bytes())
                } else {
                    value.as_bytes()
                };
                is_signed |= *name == AUTHORIZATION && value.as_bytes().starts_with(b"AWS4-");
                say(name.as_str(), stays);
            }
        }
        for key in keys(uri.query().unwrap_or_default()) {
            say(KEY, key.as_bytes());
        }
        Self { said, is_signed }
    }
}

/// The part of an `authorization` that stays the same from call to call.
fn authorized(value: &[u8]) -> &[u8] {
    let (scheme, rest) = match value.iter().position(|byte| *byte == b' ') {
        Some(space) => (&value[..space], value[space..].trim_ascii()),
        None => return value,
    };
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return rest;
    }
    // A signature is another one each time; the key that it was made with is named before the first
    // slash.
    match rest.strip_prefix(b"Credential=") {
        Some(signed) => signed.split(|byte| *byte == b'/').next().unwrap_or(signed),
        None => value,
    }
}

/// Enough to tell a few accounts apart.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:04x}", self.0 & 0xffff)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)], uri: &str) -> Option<Credential> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Credential::of_request(&headers.collect(), &uri.parse().unwrap())
    }

    #[test]
    fn the_same_key_is_the_same_wherever_it_is_carried() {
        let key = Some(Credential::of("sk-1"));
        let uri = "https://llm.example/v1";
        assert_eq!(of(&[("authorization", "Bearer sk-1")], uri), key);
        assert_eq!(of(&[("authorization", "bearer  sk-1")], uri), key);
        assert_eq!(of(&[("x-api-key", "sk-1")], uri), key);
        assert_eq!(of(&[("api-key", "sk-1")], uri), key);
        assert_eq!(of(&[], "https://llm.example/v1?alt=sse&key=sk-1"), key);
        assert_ne!(of(&[("authorization", "Bearer sk-2")], uri), key);
        assert_eq!(of(&[], uri), None);
    }

    #[test]
    fn a_signature_is_told_by_the_key_it_was_made_with() {
        let signed = |signature: &str| {
            let value = format!(
                "AWS4-HMAC-SHA256 Credential=AKID/20261121/eu/bedrock/aws4_request, SignedHeaders=host, Signature={signature}"
            );
            of(&[("authorization", &value)], "https://llm.example")
        };
        assert_eq!(signed("one"), signed("another"));
        assert_eq!(signed("one"), Some(Credential::of("AKID")));
    }

    #[cfg(feature = "cache")]
    #[test]
    fn two_callers_are_two_whatever_tells_them_apart() {
        let said = |headers: &[(&'static str, &str)], uri: &str| {
            let headers = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            let identity = Identity::of(&headers.collect(), &uri.parse().unwrap());
            (identity.said, identity.is_signed)
        };
        let (uri, proxy) = ("https://h/v1", ("authorization", "Basic proxy"));
        let callers = [
            said(&[("authorization", "Bearer AKID")], uri),
            said(&[("authorization", "AWS4-HMAC-SHA256 Credential=AKID/1/eu/b, Signature=x")], uri),
            said(&[("x-api-key", "AKID")], uri),
            said(&[proxy], uri),
            said(&[proxy, ("x-goog-api-key", "one")], uri),
            said(&[proxy, ("x-goog-api-key", "other")], uri),
            said(&[proxy], "https://h/v1?key=one"),
            said(&[proxy], "https://h/v1?key=other"),
            said(&[("cookie", "session=one")], uri),
            said(&[("helicone-auth", "one")], uri),
        ];
        for (index, one) in callers.iter().enumerate() {
            assert!(!callers[..index].contains(one), "{index}");
        }
        assert!(callers[1].1 && !callers[0].1);
        assert_eq!(said(&[("idempotency-key", "1"), ("accept", "x")], uri), (Vec::new(), false));
    }

    #[test]
    fn keys_are_taken_out_wherever_they_are() {
        let check = |uri: &str, expected: &str| {
            let (mut headers, mut uri) = (HeaderMap::new(), uri.parse::<Uri>().unwrap());
            for name in HEADERS.iter().chain(&WITH_A_KEY).chain([&AUTHORIZATION]) {
                headers.insert(name, "secret".parse().unwrap());
            }
            headers.insert("content-type", "application/json".parse().unwrap());
            forget(&mut headers, &mut uri);
            assert_eq!((uri.to_string().as_str(), headers.len()), (expected, 1));
        };
        check("https://h/v1?alt=sse&key=k&x=1", "https://h/v1?alt=sse&x=1");
        check("https://h/v1?key=k", "https://h/v1");
        check("/v1?key=k", "/v1");
        check("/v1?keys=k", "/v1?keys=k");
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let shown = format!("{0} {0:?}", Credential::of("sk-secret"));
        assert!(!shown.contains("secret") && shown.len() == 11, "{shown}");
    }
}
