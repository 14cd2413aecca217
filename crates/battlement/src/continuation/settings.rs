//! What is continued, how, and how far.

use std::{fmt, sync::Arc};

use battlement_core::{
    continuation::{Prefill, knows, prefill},
    request::Facts,
};
use http::{Method, Request, Uri, header::CONTENT_ENCODING};

use crate::call::Call;

/// How the rest of an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// The same request with the text so far as the beginning of the answer, where the server is known to go on with it
    /// (see [`prefill`](battlement_core::continuation::prefill)). The best there is: nothing is generated twice, and the model
    /// goes on in the middle of a word.
    Prefill,
    /// The same request again. What is known of its answer is left out, for as long as it is the same to the byte; then
    /// the call fails with [`Diverged`](super::Diverged). Models rarely say the same twice unless they are asked with a temperature of zero
    /// or a seed, and all that was generated is paid for again. Only after a break, and if no round before has ended at a
    /// limit: it would end there again.
    Restart,
    /// A further turn: the text so far as the answer of the model, and behind it the
    /// [wish](super::ContinuationLayer::wish) that it goes on. Every model takes that, and some begin with an apology, or
    /// repeat half a sentence. So nobody gets it who has not asked for it.
    FollowUp,
    /// The same request again with four times the limit, whose answer takes the place of the first. Only at a limit, if
    /// the request has one, and for answers that are no streams: of a stream the beginning is with the caller.
    Raise,
}

impl Way {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Restart => "restart",
            Self::FollowUp => "follow_up",
            Self::Raise => "raise",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an answer has a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It stopped at the output limit.
    Length,
    /// It broke off: the connection was lost, an error came in the middle, or a time limit of ours passed.
    Cut,
}

impl Cause {
    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Cut => "cut",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

type Known = dyn Fn(&Call) -> Option<Prefill> + Send + Sync;

/// What holds for all calls.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) on_length: Arc<[Way]>,
    pub(super) on_cut: Arc<[Way]>,
    pub(super) rounds: u32,
    pub(super) tokens: u64,
    pub(super) most_text: usize,
    pub(super) wish: Arc<str>,
    pub(super) known: Option<Arc<Known>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            on_length: [Way::Prefill, Way::Raise].into(),
            on_cut: [].into(),
            rounds: 3,
            tokens: 32_768,
            most_text: 1 << 20,
            wish: "Continue exactly where you stopped, without repeating anything.".into(),
            known: None,
        }
    }
}

impl Settings {
    /// How the rest is asked for, in this order.
    pub(super) fn ways(&self, cause: Cause) -> Arc<[Way]> {
        match cause {
            Cause::Length => self.on_length.clone(),
            Cause::Cut => self.on_cut.clone(),
        }
    }

    /// How whoever serves this call is told to go on, if that is known.
    pub(super) fn prefill(&self, call: &Call, uri: &Uri) -> Option<Prefill> {
        if let Some(known) = &self.known {
            return known(call);
        }
        let Facts { dialect, provider, model, .. } = call.facts();
        prefill((*dialect)?, *provider, model.as_deref().unwrap_or_default(), uri)
    }

    /// Whether an answer to this could be continued: text of one choice, in a dialect that is known, and nothing else.
    pub(super) fn can_judge<B>(&self, call: &Call, request: &Request<B>) -> bool {
        let facts = call.facts();
        let is_wanted = !(self.on_length.is_empty() && self.on_cut.is_empty()) && self.rounds > 0;
        is_wanted
            && facts.dialect.is_some_and(knows)
            && facts.body_is_json
            && facts.operation.generates()
            && !facts.tools
            && !facts.structured_output
            && !facts.server_state
            && facts.choices == 1
            && call.is_held()
            && call.is_repeatable()
            && request.method() == Method::POST
            && !request.headers().contains_key(CONTENT_ENCODING)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("on_length", &self.on_length)
            .field("on_cut", &self.on_cut)
            .field("rounds", &self.rounds)
            .field("tokens", &self.tokens)
            .field("most_text", &self.most_text)
            .finish_non_exhaustive()
    }
}
