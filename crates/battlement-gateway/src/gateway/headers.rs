//! Which headers go on, and which are for us.

use std::time::{Duration, Instant};

use battlement::call::{Options, Tenant};
use battlement_core::{deadline::Deadline, lanes::Lane};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ALT_SVC, AUTHORIZATION, CONNECTION, COOKIE, EXPECT, HOST, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};

use crate::config::Classes;

/// What all headers of ours begin with.
const OURS: &str = "x-battlement-";

/// About one connection and not about the message: RFC 9110, 7.6.1.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Where clients put a key.
const KEYS: [HeaderName; 4] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Takes out what does not go on to a provider. The key of the client stays: the route replaces it.
pub(super) fn clean_request(headers: &mut HeaderMap) {
    hop_by_hop(headers);
    // The address has the host; whoever expects to be told to go on has been told; a cookie is for this host.
    for name in [HOST, EXPECT, COOKIE] {
        headers.remove(name);
    }
    let ours: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with(OURS)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}

/// Whose account it is.
const ACCOUNT: [HeaderName; 3] = [
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("anthropic-organization-id"),
];

/// Takes out what does not go on to a client: what is about the connection, about the host of the provider, or about our
/// account there.
pub(super) fn clean_response(headers: &mut HeaderMap, is_ours: bool) {
    hop_by_hop(headers);
    for name in [SET_COOKIE, ALT_SVC] {
        headers.remove(name);
    }
    for name in ACCOUNT.into_iter().filter(|_| is_ours) {
        headers.remove(name);
    }
}

fn hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The key that a request brings, wherever it is.
pub(super) fn key<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a [u8]> {
    let header = KEYS.iter().find_map(|name| headers.get(name)).map(HeaderValue::as_bytes);
    let bare = header.map(|value| match value.split_at_checked(7) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"bearer ") => key.trim_ascii(),
        _ => value,
    });
    let in_query =
        || query?.split('&').find_map(|pair| pair.strip_prefix("key=")).map(str::as_bytes);
    bare.or_else(in_query)
}

/// Whether whoever asks takes trailers.
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("trailers"))
}

/// What the client wants of this call, which came at this moment, within what the settings allow. And how often it may be
/// tried. The error is a sentence.
pub(super) fn options(
    headers: &HeaderMap,
    classes: &Terms,
    client: Option<&str>,
    came: Instant,
) -> Result<(Options, u32), String> {
    let mut options = Options::default();
    let mut lane = Lane::default();
    // The time is that of whoever waits, for which a body that is slow to come counts as well.
    let until = |time: Option<Duration>| {
        time.map_or(Deadline::NEVER, |time| Deadline::NEVER.within(time, came))
    };
    if let Some(client) = client {
        options = options.tenant(client);
    }
    let mut ours = headers.iter().filter(|(name, _)| name.as_str().starts_with(OURS)).peekable();
    if ours.peek().is_none() {
        let terms = classes.0[lane as usize];
        return Ok((options.deadline(until(terms.time)), terms.attempts));
    }
    if let Some(text) = headers.get("x-battlement-class") {
        let known = text.to_str().ok().and_then(|text| text.parse().ok());
        lane = known.ok_or("x-battlement-class is one of interactive, deferred and batch")?;
        options = options.lane(lane);
    }
    let terms = classes.0[lane as usize];
    let (mut time, mut attempts) = (terms.time, terms.attempts);
    for (name, value) in ours {
        let text = value.to_str().unwrap_or_default().trim();
        match &name.as_str()[OURS.len()..] {
            "class" => {}
            "deadline-ms" => {
                let most = terms.time.map_or(u64::MAX, |time| time.as_millis() as u64);
                let asked = number(text).filter(|asked| (1..=most).contains(asked));
                let asked = asked.ok_or_else(|| match terms.time {
                    Some(_) => {
                        format!("{name} is a number from 1 to {most}, the time of class {lane}")
                    }
                    None => format!("{name} is a number of milliseconds, at least 1"),
                })?;
                time = Some(Duration::from_millis(asked));
            }
            "retries" => {
                let most = u64::from(terms.attempts.saturating_sub(1));
                let asked = number(text).filter(|asked| *asked <= most);
                let asked = asked.ok_or_else(|| {
                    format!("{name} is a number from 0 to {most}, the retries of class {lane}")
                })?;
                // At most 99, as the configuration has been checked.
                attempts = asked as u32 + 1;
                options = options.attempts(attempts);
            }
            "tenant" => {
                let is_name = (1..=64).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_graphic());
                if !is_name {
                    return Err(format!("{name} is a word of 1 to 64 letters"));
                }
                // Of one client, so that none stands in for another.
                let tenant =
                    client.map_or_else(|| text.to_owned(), |client| format!("{client}/{text}"));
                options = options.tenant(Tenant::new(tenant));
            }
            _ => {
                return Err(format!(
                    "there is no header {name}; there are x-battlement-class, -deadline-ms, -retries and -tenant"
                ));
            }
        }
    }
    Ok((options.deadline(until(time)), attempts))
}

/// Digits, and nothing else: no sign, no blank.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What the classes of the configuration come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms(pub(crate) [battlement_core::lanes::Terms; 3]);

impl From<&Classes> for Terms {
    fn from(classes: &Classes) -> Self {
        use battlement_core::lanes::Terms;
        let of = |usual: Terms, class: crate::config::Class| Terms {
            time: class.time.map_or(usual.time, crate::config::Limit::get),
            attempts: class.attempts.unwrap_or(usual.attempts),
            waiting: class.waiting.map_or(usual.waiting, crate::config::Time::get),
            ..usual
        };
        Self([
            of(Terms::interactive(), classes.interactive),
            of(Terms::deferred(), classes.deferred),
            of(Terms::batch(), classes.batch),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = list
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn what_is_about_the_connection_stays_here() {
        let mut request = headers(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "gateway"),
            ("cookie", "a=b"),
            ("x-battlement-class", "batch"),
            ("authorization", "Bearer k"),
            ("anthropic-version", "2023-06-01"),
        ]);
        clean_request(&mut request);
        let mut left: Vec<_> = request.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["anthropic-version", "authorization"]);
    }

    #[test]
    fn whose_account_it_is_is_told_to_whose_it_is() {
        let check = |is_ours, expected: &[&str]| {
            let mut answer = headers(&[
                ("openai-organization", "org"),
                ("anthropic-organization-id", "org"),
                ("set-cookie", "a=b"),
                ("openai-version", "2020-10-01"),
            ]);
            clean_response(&mut answer, is_ours);
            let mut left: Vec<_> = answer.keys().map(HeaderName::as_str).collect();
            left.sort_unstable();
            assert_eq!(left, expected);
        };
        check(true, &["openai-version"]);
        check(false, &["anthropic-organization-id", "openai-organization", "openai-version"]);
    }

    #[test]
    fn a_key_is_found_wherever_clients_put_it() {
        let check = |list: &[(&'static str, &str)], query, expected: Option<&str>| {
            let headers = headers(list);
            assert_eq!(key(&headers, query), expected.map(str::as_bytes), "{list:?} {query:?}");
        };
        check(&[("authorization", "Bearer k")], None, Some("k"));
        check(&[("authorization", "bearer  k")], None, Some("k"));
        check(&[("x-api-key", "k")], None, Some("k"));
        check(&[("x-goog-api-key", "k")], Some("key=other"), Some("k"));
        check(&[], Some("alt=sse&key=k"), Some("k"));
        check(&[], Some("keys=k"), None);
    }

    #[test]
    fn what_a_client_wants_is_bounded() {
        let terms = Terms::from(&Classes::default());
        let check = |list: &[(&'static str, &str)], expected: Option<&str>| {
            let found = options(&headers(list), &terms, Some("team"), Instant::now()).err();
            assert_eq!(found.as_deref(), expected, "{list:?}");
        };
        check(&[], None);
        check(&[("x-battlement-deadline-ms", "600000"), ("x-battlement-retries", "2")], None);
        check(&[("x-battlement-class", "batch"), ("x-battlement-retries", "9")], None);
        check(&[("x-battlement-tenant", "acme")], None);
        let retries =
            "x-battlement-retries is a number from 0 to 2, the retries of class interactive";
        check(&[("x-battlement-retries", "3")], Some(retries));
        check(&[("x-battlement-retries", "+1")], Some(retries));
        let time =
            "x-battlement-deadline-ms is a number from 1 to 600000, the time of class interactive";
        check(&[("x-battlement-deadline-ms", "0")], Some(time));
        check(&[("x-battlement-deadline-ms", "600001")], Some(time));
        check(
            &[("x-battlement-class", "urgent")],
            Some("x-battlement-class is one of interactive, deferred and batch"),
        );
        check(
            &[("x-battlement-tenant", "")],
            Some("x-battlement-tenant is a word of 1 to 64 letters"),
        );
        check(
            &[("x-battlement-dead-line", "1")],
            Some(
                "there is no header x-battlement-dead-line; there are x-battlement-class, -deadline-ms, -retries and \
                 -tenant",
            ),
        );
    }
}
