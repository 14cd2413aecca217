//! Every captured answer, against what its manifest expects.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// What a fixture's body contributes, extracted as a dialect would.
#[derive(Default)]
struct Body {
    retry_delay: Option<String>,
    headers: Vec<(String, String)>,
    message: Option<String>,
}

impl Body {
    /// Reads a document, or each event of a stream.
    fn read(bytes: &[u8]) -> Self {
        let mut body = Self::default();
        if let Ok(document) = serde_json::from_slice(bytes) {
            body.document(&document);
        }
        for line in String::from_utf8_lossy(bytes).lines() {
            let data = line.strip_prefix("data:").unwrap_or(line);
            if let Ok(event) = serde_json::from_str(data) {
                body.document(&event);
            }
        }
        body
    }

    fn document(&mut self, document: &Value) {
        let nested = ["/error", "/response/error", "/0/error"].map(|path| document.pointer(path));
        let error =
            nested.into_iter().flatten().find(|error| error.is_object()).unwrap_or(document);
        for detail in error["details"].as_array().into_iter().flatten() {
            self.retry_delay =
                detail["retryDelay"].as_str().map(Into::into).or(self.retry_delay.take());
        }
        for (name, value) in error["metadata"]["headers"].as_object().into_iter().flatten() {
            self.headers.push((name.clone(), value.as_str().unwrap_or_default().into()));
        }
        self.message = error["message"].as_str().map(Into::into).or(self.message.take());
    }
}

#[test]
fn every_fixture() {
    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/");
    let manifest =
        std::fs::read(format!("{FIXTURES}manifest.json")).expect("the fixtures are there");
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let fixtures = manifest["fixtures"].as_array().unwrap();
    assert_eq!(manifest["count"], fixtures.len());
    // A clock that is an hour off, to show that answers with a date need none.
    let clock = |dated| if dated { now() + Duration::from_secs(3600) } else { now() };

    for fixture in fixtures {
        let file = fixture["file"].as_str().unwrap();
        let provider: Provider = fixture["provider"].as_str().unwrap().parse().unwrap();
        let pairs: BTreeMap<String, String> =
            serde_json::from_value(fixture["headers"].clone()).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        let headers = headers(&pairs);
        let now = clock(headers.contains_key("date"));
        let expect = &fixture["expect"];

        let body = Body::read(&std::fs::read(format!("{FIXTURES}{file}")).unwrap());
        let repeated: Vec<_> =
            body.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let hints = BodyHints {
            retry_delay: body.retry_delay.as_deref(),
            headers: &repeated,
            message: body.message.as_deref(),
        };
        let expected = expect["retry_after_ms"].as_u64().map(|milliseconds| {
            (u128::from(milliseconds), expect["retry_after_source"].as_str().unwrap())
        });
        assert_eq!(told(wait(&headers, &hints, provider, now)), expected, "{file}");

        let limits = rate_limits(&headers, provider, now);
        for (name, expected) in expect["rate_limit"].as_object().into_iter().flatten() {
            let window = limits.get(name).unwrap_or_else(|| panic!("{file}: no {name}"));
            let reset = window.reset.map(|reset| reset.as_millis() as u64);
            assert_eq!(window.limit, expected["limit"].as_u64(), "{file}: {name}");
            assert_eq!(window.remaining, expected["remaining"].as_u64(), "{file}: {name}");
            assert_eq!(reset, expected["reset_ms"].as_u64(), "{file}: {name}");
        }
        // A limit that names its dimension agrees with the class.
        let exhausted = limits.exhausted();
        match expect["outcome"].as_str().unwrap() {
            "rate_limit_requests" => assert_ne!(exhausted, Some(Dimension::Tokens), "{file}"),
            "rate_limit_tokens" => assert_ne!(exhausted, Some(Dimension::Requests), "{file}"),
            "rate_limit_other" => {
                assert!(matches!(exhausted, None | Some(Dimension::Other)), "{file}");
            }
            _ => assert_eq!(exhausted, None, "{file}"),
        }
    }
}
