//! Battlement's own reader, driven as a layer drives it: slices in, a verdict at the end.

use std::time::SystemTime;

use battlement_core::{Dialect, End, Provider, Reader, StreamEnd};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::{Facts, Finish, Usage};

/// What a layer knows before the body begins.
pub(super) struct Ours {
    dialect: Dialect,
    provider: Provider,
    headers: HeaderMap,
    now: SystemTime,
}

impl Ours {
    pub(super) fn body(dialect: Dialect, provider: Provider) -> Self {
        Self::new(dialect, provider, "application/json")
    }

    pub(super) fn stream(dialect: Dialect, provider: Provider) -> Self {
        Self::new(dialect, provider, "text/event-stream")
    }

    fn new(dialect: Dialect, provider: Provider, content: &'static str) -> Self {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(content))].into_iter().collect();
        Self { dialect, provider, headers, now: SystemTime::now() }
    }

    pub(super) fn read<'a>(&self, frames: impl IntoIterator<Item = &'a [u8]>) -> Facts {
        let mut reader = Reader::new(self.dialect, self.provider, StatusCode::OK, &self.headers);
        for frame in frames {
            let _ = reader.feed(frame);
        }
        let verdict = reader.finish(End::Eof, self.now);
        let finish = verdict.finishes.first();
        let usage = verdict.usage.unwrap_or_default();
        Facts {
            finish: finish.and_then(|finish| finish.reason.as_deref()).map(Finish::of),
            index: finish.map(|finish| u64::from(finish.index)),
            usage: Usage {
                input: usage.input,
                output: usage.output,
                cached: usage.cached_input,
                reasoning: usage.reasoning,
            },
            output: verdict.has_output,
            clean_end: verdict.stream_end == Some(StreamEnd::Clean),
        }
    }
}
