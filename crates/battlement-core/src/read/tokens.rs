//! Token counts as they stand on the wire, and the one rule that makes them comparable.

use crate::{
    Provider, Usage,
    dialect::{Field, Spec},
};

/// Counts by the place they stood in. Streams restate them: a later count replaces an earlier one,
/// and is never added to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    input: Option<u64>,
    extra_input: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
    extra_reasoning: Option<u64>,
}

impl Tokens {
    pub(crate) fn take(&mut self, field: Field, count: &[u8]) {
        let Some(count) = count_of(count) else { return };
        let slot = match field {
            Field::Input => &mut self.input,
            Field::ExtraInput => &mut self.extra_input,
            Field::CachedInput => &mut self.cached,
            Field::CacheWrite => &mut self.cache_write,
            Field::OutputTokens => &mut self.output,
            Field::Reasoning => &mut self.reasoning,
            Field::ExtraReasoning => &mut self.extra_reasoning,
            _ => return,
        };
        *slot = Some(count);
    }

    /// Takes over what is newer; whether there was anything.
    pub(crate) fn merge(&mut self, newer: &Self) -> bool {
        if *newer == Self::default() {
            return false;
        }
        let pairs = [
            (&mut self.input, newer.input),
            (&mut self.extra_input, newer.extra_input),
            (&mut self.cached, newer.cached),
            (&mut self.cache_write, newer.cache_write),
            (&mut self.output, newer.output),
            (&mut self.reasoning, newer.reasoning),
            (&mut self.extra_reasoning, newer.extra_reasoning),
        ];
        for (slot, count) in pairs {
            *slot = count.or(*slot);
        }
        true
    }

    /// The counts as everybody counts them.
    pub(crate) fn usage(&self, spec: &Spec, provider: Provider) -> Option<Usage> {
        if *self == Self::default() {
            return None;
        }
        let plus = |count: Option<u64>, extra: Option<u64>| match (count, extra) {
            (None, None) => None,
            (count, extra) => Some(count.unwrap_or(0).saturating_add(extra.unwrap_or(0))),
        };
        let mut input = plus(self.input, self.extra_input);
        if spec.cache_beside_input && input.is_some() {
            input = plus(plus(input, self.cached), self.cache_write);
        }
        let mut output = plus(self.output, self.extra_reasoning);
        if spec.reasoning_beside_output.contains(&provider) {
            output = plus(output, self.reasoning);
        }
        if spec.absent_output_is_zero {
            output = output.or(Some(0));
        }
        Some(Usage {
            input,
            output,
            cached_input: self.cached,
            cache_write: self.cache_write,
            reasoning: self.reasoning.or(self.extra_reasoning),
        })
    }
}

/// The largest count that is believed: beyond it a float is no exact number any more, and nobody
/// has paid for so many tokens.
const MOST: u64 = 1 << 53;

/// A count, which proxies may have turned into a float or a string.
pub(super) fn count_of(text: &[u8]) -> Option<u64> {
    // Nineteen digits always fit.
    if !text.is_empty() && text.len() < 20 && text.iter().all(u8::is_ascii_digit) {
        let count = text.iter().fold(0, |count, digit| count * 10 + u64::from(digit - b'0'));
        return (count <= MOST).then_some(count);
    }
    let float: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (0.0..=MOST as f64).contains(&float).then_some(float as u64)
}
