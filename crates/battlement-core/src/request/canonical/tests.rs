use http::HeaderValue;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const CHAT: &str = "https://api.openai.com/v1/chat/completions";

struct Case {
    uri: String,
    headers: HeaderMap,
    body: String,
}

fn case(body: &str) -> Case {
    Case { uri: CHAT.into(), headers: HeaderMap::new(), body: body.into() }
}

impl Case {
    fn at(mut self, uri: &str) -> Self {
        self.uri = uri.into();
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }

    fn key_in(&self, scope: Scope<'_>) -> Result<Key, NoKey> {
        let (method, uri) = (Method::POST, self.uri.parse().unwrap());
        let body = self.body.as_bytes();
        let facts = Facts::read(&method, &uri, &self.headers, body);
        let headers = &self.headers;
        let asked =
            Asked { facts: &facts, method: &method, uri: &uri, headers, more: &[], body, scope };
        asked.key()
    }

    fn key(&self) -> Result<Key, NoKey> {
        self.key_in(Scope::Nobody)
    }
}

#[track_caller]
fn same(one: &str, other: &str) {
    let [one, other] = [one, other].map(|body| case(body).key().unwrap());
    assert_eq!(one, other);
}

#[track_caller]
fn different(one: Case, other: Case) {
    assert_ne!(one.key().unwrap().fingerprint, other.key().unwrap().fingerprint);
}

#[test]
fn order_space_and_spelling_of_strings_make_no_difference() {
    same(
        r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#,
        "{\"messages\" :\t[ {\"content\":\"\\u0048i\",\n \"role\":\"user\"} ],\r \"m\\u006fdel\": \"m\"}",
    );
    same("{}", " { } ");
    // Longer than what goes on as it is, at every level.
    let long = "x".repeat(3_000);
    same(
        &format!(r#"{{"a":{{"b":"{long}","c":[1,{{"d":1,"e":"{long}"}}]}},"f":2}}"#),
        &format!(r#"{{"f":2,"a":{{"c":[1,{{"e":"{long}","d":1}}],"b":"{long}"}}}}"#),
    );
}

#[test]
fn what_may_change_the_answer_makes_a_difference() {
    let plain = || case(r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#);
    for other in [
        r#"{"model":"m2","messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"Hi "}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":false}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"Hi"},{"role":"user","content":"Hi"}]}"#,
        r#"{"model":"m","messages":{"role":"user","content":"Hi"}}"#,
        r#"{"model":"m","messages":[[{"role":"user","content":"Hi"}]]}"#,
        r#"{"model":"m","messages":["{\"role\":\"user\",\"content\":\"Hi\"}"]}"#,
    ] {
        different(plain(), case(other));
    }
    for (one, other) in [
        (r#"{"a":1}"#, r#"{"a":1.0}"#),
        (r#"{"a":1}"#, r#"{"a":"1"}"#),
        (r#"{"a":null}"#, r#"{}"#),
        (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
        (r#"{"a":[],"b":[]}"#, r#"{"a":{},"b":[]}"#),
        (r#"{"a":{"b":1}}"#, r#"{"a":{},"b":1}"#),
        (r#"{"a":"b","c":"d"}"#, r#"{"a":"d","c":"b"}"#),
        (r#"{"stream_options":{"include_usage":true}}"#, r#"{}"#),
    ] {
        different(case(one), case(other));
    }
    different(plain(), plain().at("https://api.openai.com/v1/chat/completions?x=1"));
    different(plain(), plain().at("https://eu.api.openai.com/v1/chat/completions"));
    different(plain(), plain().at("/v1/chat/completions"));
    different(
        plain().header("host", "a").at("/v1/chat/completions"),
        plain().at("/v1/chat/completions"),
    );
    for header in
        ["anthropic-version", "anthropic-beta", "openai-beta", "openai-organization", "accept"]
    {
        different(plain(), plain().header(header, "1"));
        different(plain().header(header, "2"), plain().header(header, "1"));
    }
}

#[test]
fn what_does_not_change_the_answer_makes_no_difference() {
    let plain = || case(r#"{"model":"m","messages":[]}"#);
    let key = plain().key().unwrap();
    let query = "https://api.openai.com/v1/chat/completions?key=secret";
    assert_ne!(
        plain().at(query).key().unwrap(),
        plain().at(CHAT).header("accept", "x").key().unwrap()
    );
    for header in
        ["accept-encoding", "authorization", "user-agent", "x-stainless-lang", "traceparent"]
    {
        assert_eq!(plain().header(header, "1").key().unwrap(), key, "{header}");
    }
    let of = |uri: &str, more: &str| {
        let body = format!(r#"{{"model":"m",{more}"messages":[]}}"#);
        case(&body).at(uri).key().unwrap()
    };
    let anthropic = "https://api.anthropic.com/v1/messages";
    let responses = "https://api.openai.com/v1/responses";
    let proxy = "https://llm.example/v1/chat/completions";
    for more in [
        r#""user":"u","#,
        r#""metadata":{"user_id":"u"},"#,
        r#""safety_identifier":"u","#,
        r#""prompt_cache_key":"u","#,
        r#""prompt_cache_retention":"24h","#,
    ] {
        assert_eq!(of(CHAT, more), of(CHAT, ""), "{more}");
        assert_eq!(of(anthropic, more), of(anthropic, ""), "{more}");
        // These write it into the answer, or choose by it.
        assert_ne!(of(responses, more), of(responses, ""), "{more}");
        assert_ne!(of(proxy, more), of(proxy, ""), "{more}");
    }
    let inside = r#""tools":[{"user":"u"}],"#;
    assert_ne!(of(CHAT, inside), of(CHAT, r#""tools":[{}],"#));
}

#[test]
fn a_key_in_the_query_is_no_part_of_what_is_asked() {
    let uri = "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent";
    let body = r#"{"contents":[]}"#;
    let key = |query: &str| case(body).at(&format!("{uri}?{query}")).key().unwrap();
    assert_eq!(key("alt=sse&key=one"), key("alt=sse&key=two"));
    assert_ne!(key("alt=sse&key=one"), key("alt=json&key=one"));
}

#[test]
fn those_who_do_not_share_have_keys_of_their_own() {
    let scopes = [
        Scope::Everybody,
        Scope::Nobody,
        Scope::Tenant("a"),
        Scope::Tenant("b"),
        Scope::Tenant(""),
        Scope::Credential(b"a"),
        Scope::Credential(b"b"),
    ];
    let keys = scopes.map(|scope| case("{}").key_in(scope).unwrap().fingerprint);
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(different.len(), scopes.len());
    assert_ne!(keys[0].apart(1), keys[0].apart(2));
    assert!(!format!("{:?}", Scope::Credential(b"secret")).contains("secret"));
}

/// Whoever keeps answers elsewhere finds them after the next release.
#[test]
fn the_key_of_a_request_stays_what_it_is() {
    let key = case(r#"{"model":"m","temperature":0,"messages":[]}"#).key().unwrap();
    assert_eq!(
        key.fingerprint.to_string(),
        "8c9c996dbcdeacd2496b8029433e1e072632108dabf2a87cd4d557772bda58e8",
        "if this is meant to change, change VERSION"
    );
    assert_eq!(Fingerprint::from_bytes(*key.fingerprint.as_bytes()), key.fingerprint);
}

#[test]
fn what_means_different_things_to_different_servers_has_no_key() {
    let check = |body: &str, expected: NoKey| assert_eq!(case(body).key(), Err(expected), "{body}");
    check(r#"{"a":1,"a":2}"#, NoKey::Duplicate);
    check(r#"{"a":1,"b":2,"\u0061":2}"#, NoKey::Duplicate);
    check(r#"{"x":[{"user":1,"user":1}]}"#, NoKey::Duplicate);
    check(r#"{"user":1,"user":1}"#, NoKey::Duplicate);
    check(r#"{"a":"\ud83d"}"#, NoKey::NotText);
    check("{\"a\":\"line\nbreak\"}", NoKey::NotText);
    check("[]", NoKey::NotAnObject);
    check("[{}]", NoKey::NotAnObject);
    check("1", NoKey::NotAnObject);
    assert!(matches!(case("{").key(), Err(NoKey::NotJson(_))));
    assert!(matches!(case("").key(), Err(NoKey::NotJson(_))));
    let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(case(&nested(MOST_DEPTH - 1)).key().is_ok());
    check(&nested(MOST_DEPTH), NoKey::TooDeep);
    check(&nested(1 << 20), NoKey::TooDeep);
}

#[test]
fn what_asks_for_the_same_answer_each_time_is_known() {
    let check = |uri: &str, body: &str, expected: bool| {
        assert_eq!(case(body).at(uri).key().unwrap().is_deterministic, expected, "{body}");
    };
    check(CHAT, r#"{"messages":[],"temperature":0}"#, true);
    check(CHAT, r#"{"messages":[],"temperature":0.0}"#, true);
    check(CHAT, r#"{"messages":[],"temperature":-0e7}"#, true);
    check(CHAT, r#"{"messages":[],"temperature":0.1}"#, false);
    check(CHAT, r#"{"messages":[],"temperature":"0"}"#, false);
    check(CHAT, r#"{"messages":[],"temperature":null}"#, false);
    check(CHAT, r#"{"messages":[],"seed":7}"#, true);
    check(CHAT, r#"{"messages":[],"seed":null}"#, false);
    check(CHAT, r#"{"messages":[],"options":{"temperature":0}}"#, false);
    check(CHAT, r#"{"messages":[{"temperature":0}]}"#, false);
    check(CHAT, r#"{"messages":[]}"#, false);
    check("https://api.openai.com/v1/embeddings", r#"{"input":"x","model":"m"}"#, true);
    let gemini = "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent";
    check(gemini, r#"{"contents":[],"generationConfig":{"temperature":0}}"#, true);
    check(gemini, r#"{"contents":[],"generationConfig":{"x":{"temperature":0}}}"#, false);
    check(gemini, r#"{"contents":[],"temperature":0}"#, false);
    let converse = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse";
    check(converse, r#"{"messages":[],"inferenceConfig":{"temperature":0}}"#, true);
    let ollama = "http://localhost:11434/api/chat";
    check(ollama, r#"{"messages":[],"options":{"seed":3}}"#, true);
    check(ollama, r#"{"messages":[],"options":[{"seed":3}]}"#, false);
}

/// A value, written with its members in another order and with other space.
fn written(value: &Value, turned: bool) -> String {
    match value {
        Value::Object(members) => {
            let mut parts: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    format!("{}:{}", Value::from(name.as_str()), written(value, turned))
                })
                .collect();
            if turned {
                parts.reverse();
            }
            format!("{{{}}}", parts.join(if turned { " ,\n" } else { "," }))
        }
        Value::Array(elements) => {
            let parts: Vec<_> = elements.iter().map(|element| written(element, turned)).collect();
            format!("[{}]", parts.join(","))
        }
        scalar => scalar.to_string(),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        "[ab\"\\\\]{0,3}".prop_map(Value::from),
        (900_usize..1_200).prop_map(|length| Value::from("x".repeat(length))),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[abc]{1,2}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Two bodies have the same key exactly if they are the same JSON.
    #[test]
    fn the_same_key_is_the_same_json(one in values(), other in values()) {
        let key = |value: &Value, turned| {
            case(&format!(r#"{{"input":{}}}"#, written(value, turned))).key().unwrap().fingerprint
        };
        prop_assert_eq!(key(&one, false), key(&one, true));
        prop_assert_eq!(key(&one, false) == key(&other, false), one == other);
    }

    #[test]
    fn any_bytes_have_a_key_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let (method, uri, headers) = (Method::POST, CHAT.parse().unwrap(), HeaderMap::new());
        let facts = Facts::read(&method, &uri, &headers, &bytes);
        let asked = Asked {
            facts: &facts, method: &method, uri: &uri, headers: &headers, more: &[], body: &bytes,
            scope: Scope::Nobody,
        };
        let _any = asked.key();
    }
}
