//! The guide is checked here: its Rust blocks run as tests, its tables are compared with the code, and its links lead
//! somewhere. The pages are in `src`; `mdbook build docs/guide` makes a book of them.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

#[cfg(test)]
mod knobs;
#[cfg(test)]
mod pages;

/// Includes each page, so that what is Rust in it runs as a test.
macro_rules! pages {
    ($($name:ident $file:literal)+) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("src/", $file))]
            mod $name {}
        )+

        /// Every page that is included, by its path from `src`.
        #[cfg(test)]
        const PAGES: &[&str] = &[$($file),+];
    };
}

pages! {
    start "start.md"
    checkpoints "checkpoints.md"
    picture "picture.md"
    call "layers/call.md"
    deadline "layers/deadline.md"
    preflight "layers/preflight.md"
    context "layers/context.md"
    fallback "layers/fallback.md"
    retry "layers/retry.md"
    hedge "layers/hedge.md"
    retry_after "layers/retry_after.md"
    rate_limit "layers/rate_limit.md"
    breaker "layers/breaker.md"
    concurrency "layers/concurrency.md"
    timeout "layers/timeout.md"
    finish "layers/finish.md"
    observe "layers/observe.md"
    order "order.md"
    sizing "sizing.md"
    testing "testing.md"
    sdk "migrating/sdk.md"
    tower_retry "migrating/tower.md"
    litellm "migrating/litellm.md"
    checklist "checklist.md"
    runbook "runbook.md"
    failure_atlas "failure-atlas.md"
}

/// A chat completion of OpenAI's, which asks for a stream or not: what the examples of the guide send.
pub fn question(stream: bool) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"model": "gpt-5-mini", "stream": {stream}, "messages": [{{"role": "user", "content": "Hi"}}]}}"#
    );
    let mut request = Request::new(Full::from(body));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("https://api.openai.com/v1/chat/completions");
    request
}
