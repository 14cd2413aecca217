//! The one table of what is counted and measured.

use std::fmt;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It is one of many; what counts is how they are spread.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// A label of a metric.
///
/// Each has few values: those of an enum, names out of a configuration, or of models up to
/// [`most_models`](crate::telemetry::TelemetryLayer::most_models). Whose call it is, is not one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Label {
    /// What is asked: `chat`, `embeddings`.
    Operation,
    /// Who answers, as the GenAI conventions name it.
    Provider,
    /// The model, as the request names it.
    Model,
    /// `input` or `output`; in `battlement.tokens` also parts of these, `cache_read`, `cache_write` and `reasoning`.
    TokenType,
    /// The [code](battlement_core::Code) of the failure; empty of a success.
    Error,
    /// The [outcome](battlement_core::Outcome): `complete`, `length`, `stream_cut`; `rejected` if nothing was sent.
    Outcome,
    /// How urgent the call is.
    Lane,
    /// What an attempt is for: `first`, `retry`, `hedge`, `fallback`.
    Role,
    /// Where the answer is from: `primary`, `fallback`.
    Source,
    /// Whether tokens bought an answer that was of use: `successful` or `wasted`.
    Use,
    /// Which layer makes a call wait.
    Layer,
    /// What a circuit becomes: `closed`, `open`, `half_open`.
    State,
    /// Why, in a word.
    Reason,
}

impl Label {
    /// The name of the label. Prometheus shows points as underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "gen_ai.operation.name",
            Self::Provider => "gen_ai.provider.name",
            Self::Model => "gen_ai.request.model",
            Self::TokenType => "gen_ai.token.type",
            Self::Error => "error.type",
            Self::Outcome => "battlement.outcome",
            Self::Lane => "battlement.lane",
            Self::Role => "battlement.role",
            Self::Source => "battlement.source",
            Self::Use => "battlement.use",
            Self::Layer => "battlement.layer",
            Self::State => "battlement.state",
            Self::Reason => "battlement.reason",
        }
    }
}

/// One row of the [`TABLE`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name. Prometheus shows points as underscores.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// In what it is measured, as OpenTelemetry writes units; empty of what is only counted.
    pub unit: &'static str,
    /// What it is told apart by.
    pub labels: &'static [Label],
    /// Where a histogram should have the borders of its buckets.
    pub buckets: &'static [f64],
    /// What it says.
    pub help: &'static str,
}

/// Of durations, in seconds, as the GenAI conventions advise.
const SECONDS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Of numbers of tokens, as the GenAI conventions advise.
const TOKENS: &[f64] = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0,
    16777216.0, 67108864.0,
];

/// Between two tokens, in seconds.
const PACES: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0];

macro_rules! table {
    ($($id:ident $name:literal $kind:ident $unit:literal [$($label:ident),*] $buckets:expr, $help:literal;)+) => {
        /// The rows of the table, by name.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Id {
            $($id,)+
        }

        /// Everything that is counted and measured. `docs/observability` is printed from it.
        pub const TABLE: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            labels: &[$(Label::$label),*],
            buckets: $buckets,
            help: $help,
        }),+];
    };
}

table! {
    Calls "battlement.calls" Counter ""
        [Operation, Provider, Model, Lane, Outcome, Error, Source] &[],
        "Calls that are over, by how they ended for their caller.";
    InFlight "battlement.calls.in_flight" Gauge ""
        [Operation, Lane] &[],
        "Calls whose answer is not over yet.";
    Duration "gen_ai.client.operation.duration" Histogram "s"
        [Operation, Provider, Model, Error] SECONDS,
        "From the request to the last byte of the answer, waits and further attempts included.";
    FirstChunk "gen_ai.client.operation.time_to_first_chunk" Histogram "s"
        [Operation, Provider, Model] SECONDS,
        "From the request to the first output of a stream that the caller was given.";
    PerToken "battlement.time_per_output_token" Histogram "s"
        [Operation, Provider, Model] PACES,
        "Between two tokens of a stream, on average over the answer.";
    Usage "gen_ai.client.token.usage" Histogram "{token}"
        [Operation, Provider, Model, TokenType] TOKENS,
        "Tokens of the answer that the caller was given, as its provider told them.";
    Attempts "battlement.attempts" Counter ""
        [Provider, Model, Role, Outcome, Error] &[],
        "Attempts that are over, by what they were for and how they ended. A call that nothing is wrong with has one.";
    Untold "battlement.attempts.untold" Counter ""
        [Provider, Model] &[],
        "Attempts that may have cost tokens of which the provider told nothing, or not all: streams that were cut or \
         given up. What they cost is missing in `battlement.tokens`.";
    Tokens "battlement.tokens" Counter "{token}"
        [Provider, Model, TokenType, Use] &[],
        "Tokens of all attempts, as their providers told them, by whether they bought an answer that was of use. \
         `input` and `output` are the whole, the other types are parts of these.";
    Cost "battlement.cost" Counter "n$"
        [Provider, Model, Use] &[],
        "What these tokens cost by the table of prices, in billionths of a dollar. Nothing of models that are not in it.";
    Wait "battlement.wait" Histogram "s"
        [Provider, Model, Layer] SECONDS,
        "Waits on this side of the wire: in lines of `retry_after`, `rate_limit` and `concurrency`, and before attempts of \
         `retry`. One observation for each wait; calls that do not wait are not in it.";
    Fallbacks "battlement.fallbacks" Counter ""
        [Provider, Error] &[],
        "Times that a call went on to another route, by what the one before failed with.";
    GaveUp "battlement.gave_up" Counter ""
        [Provider, Model, Reason] &[],
        "Calls that could have been tried again and were not, by what was used up.";
    Cooldowns "battlement.cooldowns" Counter ""
        [Provider, Model] &[],
        "Times that a provider asked for a wait that holds for everybody.";
    Circuits "battlement.breaker.changes" Counter ""
        [Provider, Model, State] &[],
        "Changes of circuits, by what they became.";
    Open "battlement.breaker.open" Gauge ""
        [Provider, Model] &[],
        "1 while the circuit is not closed, which is told when it changes.";
    Limit "battlement.concurrency.limit" Gauge ""
        [Provider, Model] &[],
        "How many calls may run at once, which is told when it changes.";
    Warnings "battlement.warnings" Counter ""
        [Reason] &[],
        "Signs that calls are made in a wrong way: `misordered` layers, a client that `repeated` a call by itself, \
         something between the layers that has `sent_again`.";
}
