mod fixtures;
mod properties;

use super::*;

/// Fri, 20 Nov 2026 12:00:00 GMT, the moment of all fixtures.
const NOW: u64 = 1_795_176_000;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn told(hint: Option<Hint>) -> Option<(u128, &'static str)> {
    hint.map(|hint| (hint.after.as_millis(), hint.source.as_str()))
}

/// The hint of an answer with these headers and nothing in its body.
fn check_at(provider: Provider, pairs: &[(&str, &str)], expected: Option<(u128, &str)>) {
    let hint = wait(&headers(pairs), &BodyHints::default(), provider, now());
    assert_eq!(told(hint), expected, "{provider}: {pairs:?}");
}

fn check(pairs: &[(&str, &str)], expected: Option<(u128, &str)>) {
    check_at(Provider::Generic, pairs, expected);
}

#[test]
fn headers_that_state_a_wait() {
    let retry_after = |text: &str, expected: Option<u128>| {
        check(&[("retry-after", text)], expected.map(|ms| (ms, "retry-after")));
    };
    retry_after("4", Some(4000));
    retry_after(" 4 ", Some(4000));
    retry_after("1.25", Some(1250));
    retry_after("0.0001", Some(1));
    retry_after("12.844657", Some(12_845));
    retry_after("2.0000000000000000000001", Some(2001));
    retry_after("1e2", Some(100_000));
    retry_after("604800", Some(604_800_000));
    retry_after("99999999999999999999999", Some(u128::from(u64::MAX) * 1000));
    retry_after("1e300", Some(u128::from(u64::MAX) * 1000));
    retry_after("Fri, 20 Nov 2026 12:00:30 GMT", Some(30_000));
    retry_after("Friday, 20-Nov-26 12:00:30 GMT", Some(30_000));
    retry_after("Fri, 20 Nov 2026 11:59:00 GMT", None);
    retry_after("Fri, 20 Nov 2026 12:00:00 GMT", None);
    for text in
        ["", " ", "0", "0.0", "-0", "-5", "-1e9", "1e999", "inf", "NaN", "soon", "4s", "1,5"]
    {
        retry_after(text, None);
    }
    check(&[("retry-after-ms", "0.5")], Some((1, "retry-after-ms")));
    check(&[("x-ms-retry-after-ms", "4000")], Some((4000, "x-ms-retry-after-ms")));
    check(&[("x-amz-retry-after", "1500")], Some((1500, "x-amz-retry-after")));
}

#[test]
fn the_first_usable_hint_wins() {
    check(&[("retry-after", "1"), ("retry-after-ms", "120")], Some((120, "retry-after-ms")));
    check(&[("retry-after", "1"), ("retry-after-ms", "0")], Some((1000, "retry-after")));
    check(&[("retry-after", "soon"), ("retry-after", "3")], Some((3000, "retry-after")));
    check(&[("retry-after", "\u{ff}"), ("x-amz-retry-after", "7")], Some((7, "x-amz-retry-after")));
}

#[test]
fn dates_are_compared_with_the_date_header() {
    let date = ("date", "Fri, 20 Nov 2026 11:59:50 GMT");
    let at = ("retry-after", "Fri, 20 Nov 2026 12:00:30 GMT");
    check(&[at, date], Some((40_000, "retry-after")));
    check(&[at, ("date", "yesterday")], Some((30_000, "retry-after")));
    check(&[("x-ratelimit-reset", "1795176005"), date], Some((15_000, "x-ratelimit-reset")));
}

#[test]
fn the_body_has_its_place_in_the_order() {
    let repeated = [("Retry-After", "5"), ("not a name", "1"), ("X-Bad", "\n")];
    let reset = [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1795176042000")];
    let body = BodyHints {
        retry_delay: Some("12.844657s"),
        headers: &repeated,
        message: Some("Please try again in 644ms."),
    };
    let dry = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795176041000")];
    let ietf = [("ratelimit", "\"permin\";r=0;t=17")];
    let check = |pairs: &[(&str, &str)], body: BodyHints<'_>, expected| {
        let hint = wait(&headers(pairs), &body, Provider::OpenRouter, now());
        assert_eq!(told(hint), Some(expected));
    };
    check(&[("retry-after", "1")], body, (1000, "retry-after"));
    check(&dry, body, (12_845, "body.RetryInfo"));
    check(&dry, BodyHints { retry_delay: Some("0s"), ..body }, (5000, "body.headers"));
    let body = BodyHints { retry_delay: None, headers: &reset, ..body };
    check(&dry, body, (41_000, "x-ratelimit-reset"));
    check(&ietf, body, (42_000, "body.headers"));
    let body = BodyHints { headers: &[], ..body };
    check(&ietf, body, (17_000, "ratelimit"));
    check(&[], body, (644, "message"));
}

#[test]
fn resets_of_exhausted_windows() {
    let azure = [("x-ratelimit-reset-requests", "12"), ("x-ratelimit-reset-tokens", "37")];
    check_at(Provider::AzureOpenAi, &azure, Some((12_000, "x-ratelimit-reset-requests")));
    check_at(
        Provider::OpenAi,
        &[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "6m0s")],
        Some((360_000, "x-ratelimit-reset-tokens")),
    );
    check_at(
        Provider::Anthropic,
        &[
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-20T12:00:02Z"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-20T12:00:37Z"),
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-11-20T12:00:37Z"),
        ],
        Some((37_000, "anthropic-ratelimit-output-tokens-reset")),
    );
    check_at(
        Provider::GitHubModels,
        &[("x-ratelimit-timeremaining", "46"), ("x-ratelimit-type", "UserByModelByMinute")],
        Some((46_000, "x-ratelimit-timeremaining")),
    );
    // Something remains, the reset is past, or only the priority capacity is used up.
    check(&[("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", "1")], None);
    check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795175999")], None);
    check(
        &[
            ("anthropic-priority-input-tokens-remaining", "0"),
            ("anthropic-priority-input-tokens-reset", "2026-11-20T12:00:37Z"),
        ],
        None,
    );
}

#[test]
fn ietf_fields_of_every_draft() {
    check(
        &[("ratelimit", "\"a\";r=5;t=9"), ("ratelimit", "\"b\";r=0;t=17")],
        Some((17_000, "ratelimit")),
    );
    check(&[("ratelimit", "limit=100, remaining=0, reset=12")], Some((12_000, "ratelimit")));
    check(
        &[("ratelimit-remaining", "0"), ("ratelimit-reset", "12")],
        Some((12_000, "ratelimit-reset")),
    );
    check(&[("ratelimit", "\"a\";r=5;t=9, \"a\";r=0;t=8")], Some((8000, "ratelimit")));
    check(&[("ratelimit", "\"a\";r=0")], None);
    check(&[("ratelimit", "\"a\";r=1;t=17")], None);
    check(&[("ratelimit", "\"a;r=0;t=17")], None);

    let limits = read(
        Provider::Generic,
        &[
            (
                "ratelimit-policy",
                r#""a,\"b\"";q=50;w=60;pk=:cHsdsRa894==:, "size";q=9;qu="content-bytes""#,
            ),
            ("ratelimit", r#""a,\"b\""; r=0; t=17"#),
        ],
    );
    let window = limits.get("a,\"b\"").unwrap();
    assert_eq!((window.limit, window.remaining), (Some(50), Some(0)));
    assert_eq!(window.reset, Some(Duration::from_secs(17)));
    assert_eq!(window.period, Some(Duration::from_secs(60)));
    assert_eq!(window.dimension, Dimension::Requests);
    assert_eq!(limits.get("size").unwrap().dimension, Dimension::Other);

    let limits = read(
        Provider::Generic,
        &[("ratelimit-limit", "100, 9;w=1, 100;w=60"), ("ratelimit-remaining", "0")],
    );
    let window = limits.get("default").unwrap();
    assert_eq!((window.limit, window.period), (Some(100), Some(Duration::from_secs(60))));
    assert_eq!(limits.exhausted(), Some(Dimension::Other));
}

fn read(provider: Provider, pairs: &[(&str, &str)]) -> RateLimits {
    rate_limits(&headers(pairs), provider, now())
}

#[test]
fn reset_values_read_by_provider_and_by_looks() {
    let check = |provider, text, expected: Option<u64>| {
        let limits = read(provider, &[("x-ratelimit-limit", "1"), ("x-ratelimit-reset", text)]);
        let reset = limits.iter().next().unwrap().1.reset;
        assert_eq!(reset, expected.map(Duration::from_millis), "{provider}: {text}");
    };
    for provider in Provider::ALL {
        check(provider, "2m59.56s", Some(179_560));
        check(provider, "2026-11-20T13:00:24.5+01:00", Some(24_500));
        check(provider, "soon", None);
        check(provider, "-5", None);
    }
    check(Provider::Cohere, "1795176018", Some(18_000));
    check(Provider::OpenRouter, "1795176042000", Some(42_000));
    check(Provider::Cerebras, "33011.382867097855", Some(33_011_383));
    check(Provider::Generic, "1795176018", Some(18_000));
    check(Provider::Generic, "1795176018.25", Some(18_250));
    check(Provider::Generic, "1795176042000", Some(42_000));
    check(Provider::Generic, "11.382867097855", Some(11_383));
    check(Provider::Generic, "2026-11-20T11:00:00Z", Some(0));
    check(Provider::Together, "1", Some(1000));
}

#[test]
fn every_family_has_its_windows() {
    let check = |provider, pairs: &[(&str, &str)], expected: &[&str]| {
        let limits = read(provider, pairs);
        assert_eq!(limits.iter().map(|(name, _)| name).collect::<Vec<_>>(), expected, "{pairs:?}");
    };
    check(
        Provider::Together,
        &[("x-ratelimit-limit", "10"), ("x-tokenlimit-limit", "9")],
        &["tokens", "requests"],
    );
    check(Provider::Generic, &[("x-ratelimit-limit", "10, 10;w=60")], &["default"]);
    check(
        Provider::OpenAi,
        &[("x-ratelimit-remaining-tokens-usage-based", "3")],
        &["tokens_usage_based"],
    );
    check(Provider::Mistral, &[("x-ratelimitbysize-limit-minute", "5")], &["tokens"]);
    check(Provider::Mistral, &[("x-ratelimitbysize-limit-month", "5")], &["tokens_month"]);
    check(
        Provider::Anthropic,
        &[("anthropic-fast-input-tokens-limit", "5")],
        &["fast_input_tokens"],
    );
    check(Provider::Anthropic, &[("retry-after", "5")], &[]);
    check(Provider::Xai, &[("x-ratelimit-limit-requests", "garbage")], &[]);

    let limits = read(Provider::Groq, &[("x-ratelimit-limit-requests", "14400")]);
    assert_eq!(limits.get("requests").unwrap().period, Some(Duration::from_secs(86_400)));
}

#[test]
fn what_is_exhausted() {
    let check = |pairs: &[(&str, &str)], expected| {
        assert_eq!(read(Provider::AzureOpenAi, pairs).exhausted(), expected, "{pairs:?}");
    };
    check(&[], None);
    check(&[("x-ratelimit-remaining-requests", "1")], None);
    check(&[("x-ratelimit-remaining-requests", "0")], Some(Dimension::Requests));
    check(&[("anthropic-ratelimit-input-tokens-remaining", "0")], Some(Dimension::Tokens));
    check(&[("x-ratelimit-remaining-tokens-minute", "0")], Some(Dimension::Tokens));
    check(&[("x-ratelimit-remaining", "0")], Some(Dimension::Other));
    check(&[("anthropic-priority-input-tokens-remaining", "0")], None);
    // Of two, the one that takes longer to come back.
    let both = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-remaining-tokens", "0")];
    check(&both, Some(Dimension::Requests));
    check(&[both[0], both[1], ("x-ratelimit-reset-tokens", "9")], Some(Dimension::Tokens));
    // A limit of 0 or -1 is no limit.
    for unknown in ["0", "-1"] {
        let limit = ("x-ratelimit-limit-requests", unknown);
        check(&[limit, ("x-ratelimit-remaining-requests", "0")], None);
        check(&[limit, ("x-ratelimit-remaining-requests", "-1")], None);
    }
}

#[test]
fn durations_with_units() {
    let check = |text: &str, expected: Option<u128>| {
        assert_eq!(duration::parse(text), expected.map(|us| us * 1000), "{text:?}");
    };
    check("1s", Some(1_000_000));
    check("6m0s", Some(360_000_000));
    check("120ms", Some(120_000));
    check("1h2m3.5s", Some(3_723_500_000));
    check("20.5s", Some(20_500_000));
    check("2m59.56s", Some(179_560_000));
    check("1d", Some(86_400_000_000));
    check("1d2h", Some(93_600_000_000));
    check("5us", Some(5));
    check("5µs", Some(5));
    check("5μs", Some(5));
    check("5000ns", Some(5));
    check("2 minutes", Some(120_000_000));
    check("0s", Some(0));
    for text in ["", "s", "5", "5x", "-5s", "5s later", ".s", "5.s", "1e3s", "infs", "6m0"] {
        check(text, None);
    }
    assert_eq!(duration::parse(&format!("{0}h{0}h", "9".repeat(400))), None, "infinite");
    assert_eq!(duration::parse(&format!("{0}h{0}h", "9".repeat(60))), Some(u128::MAX));
}

#[test]
fn timestamps_of_rfc_3339() {
    let check = |text: &str, expected: Option<i128>| {
        assert_eq!(timestamp::rfc3339(text), expected.map(|ms| ms * 1_000_000), "{text:?}");
    };
    check("1970-01-01T00:00:00Z", Some(0));
    check("2026-11-20T12:00:00Z", Some(i128::from(NOW) * 1000));
    check("2026-11-20t12:00:00.250z", Some(i128::from(NOW) * 1000 + 250));
    check("2026-11-20 12:00:00-00:30", Some((i128::from(NOW) + 1800) * 1000));
    check("2024-02-29T00:00:00Z", Some(1_709_164_800_000));
    check("2024-12-31T23:59:60Z", Some(1_735_689_600_000));
    check("1969-12-31T23:59:59.5Z", Some(-500));
    check("0000-01-01T00:00:00Z", Some(-62_167_219_200_000));
    check("9999-12-31T23:59:59Z", Some(253_402_300_799_000));
    for text in [
        "",
        "2026-11-20",
        "2026-11-20T12:00:00",
        "2026-11-20T12:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T12:60:00Z",
        "2026-11-20T12:00:00.Z",
        "2026-11-20T12:00:00+0100",
        "2026-11-20T12:00:00Z!",
        "+026-11-20T12:00:00Z",
        "2026-11-2éT12:00:00Z",
    ] {
        check(text, None);
    }
}

#[test]
fn waits_in_messages() {
    let check = |text: &str, expected: Option<u128>| {
        assert_eq!(message::find(text), expected.map(|ms| ms * 1_000_000), "{text:?}");
    };
    check("Limit 30000, Used 29937. Please try again in 9.816s. Visit", Some(9816));
    check("Please try again in 644ms.", Some(644));
    check(
        "Rate limit of 10 per 60s exceeded. Please wait 46 seconds before retrying.",
        Some(46_000),
    );
    check("Please try again in 4m6.24s.", Some(246_240));
    check("Please retry after 37 seconds. Please contact", Some(37_000));
    check("try again in 7m12s", Some(432_000));
    check("TRY AGAIN IN 2 Minutes", Some(120_000));
    assert_eq!(message::find("Please retry in 34.074824224s."), Some(34_074_824_224));
    check("Please try again later. Please wait 1 minute 30 seconds", Some(90_000));
    check("é try again in 0s, or try again in 3s", Some(3000));
    for text in [
        "",
        "try again in ",
        "try again in a moment",
        "try again in 5",
        "try again in 5 tokens",
        "Rate limit of 10 per 60s exceeded",
        "await 5 seconds; entry after 5 seconds",
        "Too many tokens, please wait before trying again.",
        "please reduce your message size and try again.",
        "Your prompt took in 20 seconds",
    ] {
        check(text, None);
    }
}
