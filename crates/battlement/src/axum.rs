//! An [`Error`] as the answer of an axum handler.
//!
//! The status says whose turn it is: 429 and 503 come with `Retry-After` where that is known, 504 is a
//! time limit, 502 a provider that failed, 422 an answer that cannot be used, 413 a request that is too
//! large, 401 a key, 500 our own side. The body is JSON, and says whether to try again. What the provider
//! wrote is not passed on: it may quote the prompt.
//!
//! ```
//! use axum_core::response::IntoResponse;
//! use battlement::{BoxError, Error};
//!
//! async fn handler() -> Result<String, Error> {
//!     async fn call() -> Result<String, BoxError> {
//!         Err("connection reset".into())
//!     }
//!     Ok(call().await?)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let response = handler().await.into_response();
//! assert_eq!(response.status(), 502);
//! # }
//! ```

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use crate::error::Error;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = self.kind().status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, wait.into());
        }
        response.extensions_mut().insert(self.code());
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use battlement_core::breaker::Reason;
    use http_body_util::BodyExt;

    use super::*;
    use crate::{BoxError, breaker::Rejected, call::Key};

    #[tokio::test]
    async fn a_rejection_says_when_to_come_back() {
        let key = Key {
            provider: battlement_core::Provider::OpenAi,
            name: None,
            account: None,
            credential: None,
        };
        let rejected =
            Rejected { key, reason: Reason::Open, retry_after: Some(Duration::from_millis(1_001)) };
        let response = Error::from(BoxError::from(rejected)).into_response();
        assert_eq!(
            (response.status(), &response.headers()["retry-after"]),
            (503.try_into().unwrap(), &HeaderValue::from(2))
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"error":{"code":"llm.local.circuit_open","message":"the circuit breaker of openai let no call through: open","fault":"provider","retryable":true,"retry_after_ms":1001,"attempts":0}}"#
        );
    }
}
