//! A call that failed or was saved, as one line of JSON.

use std::{
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use battlement_core::Usage;

use super::{
    finished::{Finished, Tried},
    names::provider,
    redact::redact,
};
use crate::{clock, error::escape};

/// Which form the line has. It grows with every change that a reader could stumble over; members that are new are
/// none.
pub const SCHEMA: u32 = 1;

/// An object in JSON, member by member.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn name(&mut self, name: &str) -> &mut String {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Names are ours.
        let _written = write!(self.0, "\"{name}\":");
        &mut self.0
    }

    fn text(&mut self, name: &str, text: &str) {
        let json = self.name(name);
        json.push('"');
        escape(text, json);
        json.push('"');
    }

    fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        let _written = write!(self.name(name), "{number}");
    }

    fn flag(&mut self, name: &str, flag: bool) {
        self.name(name).push_str(if flag { "true" } else { "false" });
    }

    fn millis(&mut self, name: &str, time: Duration) {
        self.number(name, u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// The line, without its end.
pub(super) fn line(finished: &Finished<'_>) -> String {
    let (facts, call) = (finished.facts(), &finished.call);
    let mut line = Object::new();
    line.number("schema", SCHEMA.into());
    line.text("id", &format!("{:016x}", finished.id));
    line.text("time", &timestamp(clock::date()));
    line.maybe("environment", finished.settings.environment.as_deref());
    line.text("outcome", finished.outcome);
    line.maybe("code", finished.code.map(battlement_core::Code::as_str));
    line.flag("rescued", finished.is_success());
    line.text("provider", provider(facts.provider));
    line.maybe("model", facts.model.as_deref());
    line.text("operation", facts.operation.as_str());
    line.text("lane", call.lane().as_str());
    line.maybe("tenant", call.tenant().map(crate::call::Tenant::name));
    line.maybe("route", finished.last().and_then(|tried| tried.attempt.route()));
    line.text("source", finished.source());
    line.flag("stream", facts.stream);
    line.flag("committed", finished.is_committed());
    line.millis("took_ms", finished.took());
    line.millis("waited_ms", finished.waited());
    if let Some(first) = finished.first_output() {
        line.millis("first_output_ms", first);
    }
    tokens(&mut line, finished.usage());
    if let Some(cost) = finished.cost() {
        line.number("cost_nanodollars", cost.nanodollars());
    }
    let attempts = line.name("attempts");
    attempts.push('[');
    for (index, tried) in finished.tried.iter().enumerate() {
        if index > 0 {
            attempts.push(',');
        }
        attempts.push_str(&attempt(tried, index));
    }
    attempts.push(']');
    line.end()
}

fn attempt(tried: &Tried, index: usize) -> String {
    let mut one = Object::new();
    one.number("number", tried.number.max(index as u32 + 1).into());
    one.text("role", tried.role.as_str());
    one.maybe("route", tried.attempt.route());
    one.maybe("model", tried.facts().model.as_deref());
    one.millis("waited_ms", tried.waited);
    for (layer, took) in &tried.lines {
        one.millis(&format!("in_{layer}_ms"), *took);
    }
    one.millis("took_ms", tried.took());
    one.text("outcome", tried.outcome());
    one.maybe("code", tried.code().map(battlement_core::Code::as_str));
    if let Some(status) = tried.status {
        one.number("status", status.into());
    }
    if let Some(verdict) = tried.attempt.verdict() {
        one.text("kind", verdict.kind.as_str());
        one.maybe("stream_end", verdict.stream_end.map(battlement_core::StreamEnd::as_str));
        one.maybe("request_id", verdict.request_id.as_deref());
        if let Some(failure) = &verdict.failure {
            one.text("phase", failure.phase.as_str());
            one.flag("retryable", failure.advice.is_retryable());
            let message = failure.report.message.as_deref().map(redact);
            one.maybe("message", message.as_deref().filter(|message| !message.is_empty()));
        }
    }
    tokens(&mut one, tried.usage());
    one.flag("untold", tried.is_untold());
    one.end()
}

fn tokens(object: &mut Object, usage: Option<&Usage>) {
    let Some(usage) = usage else { return };
    let parts = [
        ("input_tokens", usage.input),
        ("output_tokens", usage.output),
        ("cached_tokens", usage.cached_input),
        ("cache_write_tokens", usage.cache_write),
        ("reasoning_tokens", usage.reasoning),
    ];
    for (name, count) in parts {
        if let Some(count) = count {
            object.number(name, count);
        }
    }
}

/// A moment as RFC 3339 writes it, in UTC, to the millisecond.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // The calendar repeats after 146,097 days, and begins a year in March so that the odd day is its last.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) =
        (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let millis = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_people_read_them() {
        let check = |seconds, expected: &str| {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400, "2000-02-29T00:00:00.000Z");
        check(1_709_251_199, "2024-02-29T23:59:59.000Z");
        check(1_796_083_200, "2026-12-01T00:00:00.000Z");
        check(4_107_542_400, "2100-03-01T00:00:00.000Z");
    }
}
