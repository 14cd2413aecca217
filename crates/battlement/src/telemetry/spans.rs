//! Spans, by the GenAI conventions of OpenTelemetry where these have a name.

use std::fmt;

use battlement_core::{Finish, Usage, request::Facts};
use http::Uri;
use tracing::{Span, field::Empty, span::Entered};

use super::{
    finished::{Finished, Tried},
    names::provider,
};
use crate::call::Call;

/// The span of a call.
#[derive(Clone, Debug)]
pub(super) struct CallSpan(Span);

/// The span of an attempt.
#[derive(Debug)]
pub(super) struct AttemptSpan(Span);

impl Default for AttemptSpan {
    fn default() -> Self {
        Self(Span::none())
    }
}

impl CallSpan {
    pub(super) fn none() -> Self {
        Self(Span::none())
    }

    pub(super) fn open(call: &Call, uri: &Uri) -> Self {
        let span = tracing::info_span!(
            target: "battlement", "llm.call",
            "otel.name" = Empty, "otel.kind" = "client", "otel.status_code" = Empty,
            "gen_ai.operation.name" = Empty, "gen_ai.provider.name" = Empty, "gen_ai.request.model" = Empty,
            "gen_ai.request.stream" = Empty, "gen_ai.request.max_tokens" = Empty,
            "gen_ai.response.finish_reasons" = Empty, "gen_ai.response.time_to_first_chunk" = Empty,
            "gen_ai.usage.input_tokens" = Empty, "gen_ai.usage.output_tokens" = Empty,
            "gen_ai.usage.cache_read.input_tokens" = Empty, "gen_ai.usage.cache_write.input_tokens" = Empty,
            "gen_ai.usage.reasoning.output_tokens" = Empty,
            "server.address" = Empty, "server.port" = Empty, "error.type" = Empty,
            "battlement.call.id" = Empty, "battlement.outcome" = Empty, "battlement.attempts" = Empty,
            "battlement.waited" = Empty, "battlement.route" = Empty, "battlement.lane" = Empty,
            "battlement.tenant" = Empty, "battlement.source" = Empty, "battlement.committed" = Empty,
            "battlement.cost_nanodollars" = Empty, "battlement.time_per_output_token" = Empty,
        );
        if span.is_none() || span.is_disabled() {
            return Self::none();
        }
        let facts = call.facts();
        name(&span, facts);
        span.record("gen_ai.request.stream", facts.stream.then_some(true));
        span.record("gen_ai.request.max_tokens", facts.max_output_tokens);
        span.record("server.address", uri.host());
        span.record("server.port", uri.port_u16());
        span.record("battlement.lane", call.lane().as_str());
        span.record("battlement.tenant", call.tenant().map(crate::call::Tenant::name));
        Self(span)
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// What the call is called, here and in its incident record.
    pub(super) fn identify(&self, id: u64) {
        if !self.is_none() {
            self.0.record("battlement.call.id", tracing::field::display(format_args!("{id:016x}")));
        }
    }

    pub(super) fn enter(&self) -> Entered<'_> {
        self.0.enter()
    }

    /// The call is over.
    pub(super) fn close(&self, finished: &Finished<'_>) {
        let span = &self.0;
        if span.is_none() {
            return;
        }
        // What is known better by now.
        name(span, finished.facts());
        usage(span, finished.usage());
        if let Some(verdict) = finished.last().and_then(|tried| tried.attempt.verdict()) {
            reasons(span, &verdict.finishes);
        }
        let first = finished.first_output();
        span.record("gen_ai.response.time_to_first_chunk", first.map(|first| first.as_secs_f64()));
        let pace = finished.per_token().map(|pace| pace.as_secs_f64());
        span.record("battlement.time_per_output_token", pace);
        end(span, finished.outcome, finished.code);
        span.record("battlement.attempts", finished.tried.len());
        span.record("battlement.waited", finished.waited().as_secs_f64());
        span.record("battlement.route", finished.last().and_then(|tried| tried.attempt.route()));
        span.record("battlement.source", finished.source());
        span.record("battlement.committed", finished.is_committed());
        span.record(
            "battlement.cost_nanodollars",
            finished.cost().map(battlement_core::prices::Cost::nanodollars),
        );
    }
}

impl AttemptSpan {
    pub(super) fn open(parent: &CallSpan, tried: &Tried) -> Self {
        if parent.is_none() {
            return Self::default();
        }
        let span = tracing::info_span!(
            target: "battlement", parent: &parent.0, "llm.attempt",
            "otel.name" = Empty, "otel.status_code" = Empty,
            "gen_ai.operation.name" = Empty, "gen_ai.provider.name" = Empty, "gen_ai.request.model" = Empty,
            "gen_ai.response.finish_reasons" = Empty, "gen_ai.response.time_to_first_chunk" = Empty,
            "gen_ai.usage.input_tokens" = Empty, "gen_ai.usage.output_tokens" = Empty,
            "gen_ai.usage.cache_read.input_tokens" = Empty, "gen_ai.usage.cache_write.input_tokens" = Empty,
            "gen_ai.usage.reasoning.output_tokens" = Empty,
            "error.type" = Empty, "http.response.status_code" = Empty, "http.request.resend_count" = Empty,
            "battlement.attempt.number" = Empty, "battlement.attempt.role" = Empty,
            "battlement.route" = Empty, "battlement.waited" = Empty, "battlement.in_line" = Empty,
            "battlement.outcome" = Empty,
        );
        name(&span, tried.facts());
        let number = tried.number.max(1);
        span.record("otel.name", tracing::field::display(format_args!("attempt {number}")));
        span.record("http.request.resend_count", (number > 1).then_some(number - 1));
        span.record("battlement.attempt.number", number);
        span.record("battlement.attempt.role", tried.role.as_str());
        span.record("battlement.route", tried.attempt.route());
        span.record("battlement.waited", tried.waited.as_secs_f64());
        Self(span)
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The attempt is over, and so is its span.
    pub(super) fn close(self, tried: &Tried) {
        let span = &self.0;
        usage(span, tried.usage());
        if let Some(verdict) = tried.attempt.verdict() {
            reasons(span, &verdict.finishes);
        }
        let first = tried.first_output.map(|at| at.saturating_duration_since(tried.started));
        span.record("gen_ai.response.time_to_first_chunk", first.map(|first| first.as_secs_f64()));
        span.record("http.response.status_code", tried.status);
        span.record("battlement.in_line", tried.in_lines().as_secs_f64());
        end(span, tried.outcome(), tried.code());
    }
}

fn name(span: &Span, facts: &Facts) {
    let operation = facts.operation.as_str();
    span.record("gen_ai.operation.name", operation);
    span.record("gen_ai.provider.name", provider(facts.provider));
    match facts.model.as_deref() {
        Some(model) => {
            span.record("gen_ai.request.model", model);
            span.record("otel.name", tracing::field::display(format_args!("{operation} {model}")));
        }
        None => {
            span.record("otel.name", operation);
        }
    }
}

fn usage(span: &Span, usage: Option<&Usage>) {
    let Some(usage) = usage else { return };
    span.record("gen_ai.usage.input_tokens", usage.input);
    span.record("gen_ai.usage.output_tokens", usage.output);
    span.record("gen_ai.usage.cache_read.input_tokens", usage.cached_input);
    span.record("gen_ai.usage.cache_write.input_tokens", usage.cache_write);
    span.record("gen_ai.usage.reasoning.output_tokens", usage.reasoning);
}

fn end(span: &Span, outcome: &'static str, code: Option<battlement_core::Code>) {
    span.record("battlement.outcome", outcome);
    span.record("error.type", code.map(battlement_core::Code::as_str));
    span.record("otel.status_code", code.map(|_| "ERROR"));
}

fn reasons(span: &Span, finishes: &[Finish]) {
    if !finishes.is_empty() {
        span.record("gen_ai.response.finish_reasons", tracing::field::display(Reasons(finishes)));
    }
}

/// Reasons for stopping as a list in JSON: `tracing` has no lists. What each means, in our words: the provider's own
/// are whatever is written there.
struct Reasons<'a>(&'a [Finish]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finish) in self.0.iter().enumerate() {
            let before = if index == 0 { "[" } else { "," };
            write!(f, "{before}\"{}\"", finish.class)?;
        }
        f.write_str("]")
    }
}
