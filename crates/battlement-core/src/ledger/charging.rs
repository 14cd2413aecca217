//! How a provider charges a call against its limits, as data.
//!
//! A limiter is only as good as its picture of the provider's own ledger. There are three habits: the
//! charge is made at admission and kept; it is made at admission and replaced by the true usage at
//! the end; or output is charged as it is produced. The rows come from the providers' documents
//! of 2026; those drift, so every field is public and may be set by hand.

use std::time::Duration;

use super::{Actual, Estimate, Meter};
use crate::{Provider, Usage};

/// How a provider charges a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charging {
    /// What output is taken to be when the call is admitted.
    pub output: Output,
    /// How input and output become one number, where they share a limit.
    pub total: Total,
    /// Whether the true usage replaces the charge at the end.
    pub settled: bool,
    /// Whether input read from a cache counts when the call is admitted.
    pub cached_reserved: bool,
    /// Whether input read from a cache counts in the end.
    pub cached_charged: bool,
    /// What a token of output counts in the end. Bedrock calls it burndown: 5 for several models.
    pub output_weight: u32,
    /// The output reserved for a call that names no maximum, where the maximum is reserved.
    pub unset_maximum: u64,
    /// Whether a call that the provider turned away counts as a request.
    pub rejected_counts: bool,
    /// The slices in which a limit of requests is enforced, when they are shorter than its period.
    pub request_slice: Option<Duration>,
    /// To what multiple the remaining tokens are rounded in headers.
    pub rounding: u64,
}

/// What output is taken to be when a call is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The maximum that the call names, for all choices.
    Maximum,
    /// What is expected; providers who tell nothing are taken to count what is true in the end.
    Expected,
    /// Nothing: it is charged as it is produced.
    AsProduced,
    /// Nothing: output does not count.
    Free,
}

/// How input and output become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// Both together.
    Sum,
    /// The larger of the two.
    Larger,
}

/// What a call is charged by one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charge {
    /// At admission.
    pub(super) now: u64,
    /// As it is produced, so far as can be expected.
    pub(super) later: u64,
}

/// For whoever tells nothing: what is true in the end counts, failures too.
const COMMON: Charging = Charging {
    output: Output::Expected,
    total: Total::Sum,
    settled: true,
    cached_reserved: true,
    cached_charged: true,
    output_weight: 1,
    // Bedrock reserves the model's own maximum, 64 to 128 thousand: at 2 million a minute, 31 calls.
    unset_maximum: 64_000,
    rejected_counts: true,
    request_slice: None,
    rounding: 1,
};

/// The larger of `max_tokens` and an estimate of the input, at admission, for good. Without
/// `max_tokens`, the estimate is all.
const OPENAI: Charging = Charging {
    output: Output::Maximum,
    total: Total::Larger,
    settled: false,
    unset_maximum: 0,
    ..COMMON
};

/// Both together, at admission, for good; requests are counted in slices of 1 or 10 seconds.
const AZURE: Charging =
    Charging { total: Total::Sum, request_slice: Some(Duration::from_secs(10)), ..OPENAI };

/// Input is estimated and corrected, cache reads are free, and `max_tokens` does not count.
const ANTHROPIC: Charging = Charging {
    output: Output::AsProduced,
    cached_reserved: false,
    cached_charged: false,
    rounding: 1_000,
    ..COMMON
};

/// Tokens per minute are those of the input.
const GEMINI: Charging = Charging { output: Output::Free, ..COMMON };

/// Input, cache reads too, and the maximum are reserved, and replaced by what was used.
const BEDROCK: Charging = Charging { output: Output::Maximum, cached_charged: false, ..COMMON };

/// Cached tokens are free.
const GROQ: Charging = Charging { cached_reserved: false, cached_charged: false, ..COMMON };

/// The estimated input and the maximum, at admission, for good.
const CEREBRAS: Charging = Charging { output: Output::Maximum, settled: false, ..COMMON };

impl Charging {
    /// The habits of a provider.
    pub const fn of(provider: Provider) -> Self {
        match provider {
            Provider::OpenAi => OPENAI,
            Provider::AzureOpenAi => AZURE,
            Provider::Anthropic => ANTHROPIC,
            Provider::Gemini | Provider::Vertex => GEMINI,
            Provider::Bedrock => BEDROCK,
            Provider::Groq => GROQ,
            Provider::Cerebras => CEREBRAS,
            _ => COMMON,
        }
    }

    /// What a call is charged when it is admitted, and expected to be charged after.
    pub(super) fn reserved(&self, meter: Meter, call: &Estimate) -> Charge {
        let cached = if self.cached_reserved { 0 } else { call.cached_input };
        let input = call.input.saturating_sub(cached);
        let output = self.output(call);
        match meter {
            Meter::Requests => Charge { now: 1, later: 0 },
            Meter::Input => Charge { now: input, later: 0 },
            Meter::Output => output,
            Meter::Tokens => {
                let now = match self.total {
                    Total::Sum => input.saturating_add(output.now),
                    Total::Larger => input.max(output.now),
                };
                Charge { now, ..output }
            }
        }
    }

    /// What takes the place of a charge made at admission.
    ///
    /// `streams` says that output is charged apart, as it is produced.
    pub(super) fn settled_at(
        &self,
        meter: Meter,
        reserved: u64,
        streams: bool,
        actual: &Actual<'_>,
    ) -> u64 {
        let used = |usage: &Usage| match meter {
            Meter::Requests => Some(reserved),
            Meter::Input => self.input_used(usage),
            Meter::Tokens if streams => self.input_used(usage),
            Meter::Output => self.output_used(usage),
            Meter::Tokens => Some(self.input_used(usage)?.saturating_add(self.output_used(usage)?)),
        };
        match actual {
            Actual::Unsent => 0,
            Actual::Rejected if meter == Meter::Requests => {
                if self.rejected_counts {
                    reserved
                } else {
                    0
                }
            }
            _ if !self.settled => reserved,
            Actual::Rejected => 0,
            Actual::Used(usage) => used(usage).unwrap_or(reserved),
            // What is only known in part may make it more, never less.
            Actual::AtLeast(usage) => used(&known(usage)).unwrap_or(0).max(reserved),
            Actual::Unknown => reserved,
        }
    }

    /// What was produced in the end, where that is charged.
    pub(super) fn produced(&self, expected: u64, streamed: u64, actual: &Actual<'_>) -> u64 {
        let told = match actual {
            Actual::Unsent | Actual::Rejected => Some(streamed),
            Actual::Used(usage) => self.output_used(usage),
            Actual::AtLeast(usage) => self.output_used(usage).map(|output| output.max(streamed)),
            Actual::Unknown => None,
        };
        // Whoever reported progress knows more than the estimate.
        told.unwrap_or(if streamed > 0 { streamed } else { expected })
    }

    fn input_used(&self, usage: &Usage) -> Option<u64> {
        let cached = if self.cached_charged { 0 } else { usage.cached_input.unwrap_or(0) };
        Some(usage.input?.saturating_sub(cached))
    }

    fn output_used(&self, usage: &Usage) -> Option<u64> {
        match self.output {
            Output::Free => Some(0),
            _ => Some(usage.output?.saturating_mul(self.output_weight.into())),
        }
    }

    fn output(&self, call: &Estimate) -> Charge {
        let maximum = call.max_output.unwrap_or(u64::MAX);
        let expected = call.output.min(maximum).saturating_mul(self.output_weight.into());
        match self.output {
            // What burns down faster than it is reserved would leave debt behind.
            Output::Maximum => Charge {
                now: call.max_output.unwrap_or(self.unset_maximum).max(expected),
                later: 0,
            },
            Output::Expected => Charge { now: expected, later: 0 },
            Output::AsProduced => Charge { now: 0, later: expected },
            Output::Free => Charge::default(),
        }
    }
}

/// What is not told counts as nothing.
fn known(usage: &Usage) -> Usage {
    Usage {
        input: Some(usage.input.unwrap_or(0)),
        output: Some(usage.output.unwrap_or(0)),
        ..*usage
    }
}
