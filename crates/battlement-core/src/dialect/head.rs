//! What stands in the head of an answer, by the names that providers give it.

use http::{HeaderMap, StatusCode};

use super::{Dialect, Provider, report::ErrorReport};

/// What the head of the answer says that the verdict needs.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) request_id: Option<Box<str>>,
    pub(crate) should_retry: Option<bool>,
    /// The error's name, where the header tells it (Amazon).
    pub(crate) error_type: Option<Box<str>>,
    /// Token counts in headers (Bedrock Invoke).
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    /// The whole head, kept for an error, and for an answer that tells a wait: it may turn out to
    /// be an error after all.
    pub(crate) headers: Option<Box<HeaderMap>>,
}

impl Head {
    /// One pass over the headers: there are two dozen, and looking each up costs more.
    pub(crate) fn read(
        dialect: Dialect,
        provider: Provider,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Self {
        let error = !status.is_success();
        let mut head = Self::default();
        let mut best_id = usize::MAX;
        let mut has_wait = false;
        for (name, value) in headers {
            let name = name.as_str();
            let value = || value.to_str().ok();
            match name {
                "x-should-retry" => head.should_retry = value().and_then(yes_or_no),
                "x-amzn-errortype" if error => head.error_type = value().map(Into::into),
                "x-amzn-bedrock-input-token-count" if dialect == Dialect::BedrockInvoke => {
                    head.input_tokens = value().and_then(|count| count.parse().ok());
                }
                "x-amzn-bedrock-output-token-count" if dialect == Dialect::BedrockInvoke => {
                    head.output_tokens = value().and_then(|count| count.parse().ok());
                }
                "retry-after" | "retry-after-ms" | "x-ms-retry-after-ms" | "x-amz-retry-after" => {
                    has_wait = true;
                }
                // A router's limit, which its 200s may exceed too.
                "x-ratelimit-reset" => has_wait = true,
                _ => {
                    let rank = provider.request_id_headers().iter().position(|id| *id == name);
                    if let Some(rank) = rank.filter(|rank| *rank < best_id) {
                        head.request_id = value().map(Into::into);
                        best_id = rank;
                    }
                }
            }
        }
        if error || has_wait {
            head.headers = Some(Box::new(headers.clone()));
        }
        head
    }

    /// An error told by the head alone.
    pub(crate) fn report(&self) -> ErrorReport {
        ErrorReport::new(self.error_type.clone(), None, None)
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}
