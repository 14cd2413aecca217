//! What providers want otherwise than their dialect has it, as data.

use crate::{Dialect, Provider};

/// The habits of one provider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// The names of the cap in OpenAI's chat dialect, the one to add first.
    pub(super) chat_caps: [&'static str; 2],
    /// Whether usage at the end of an OpenAI stream has to be asked for, and may be.
    pub(super) sends_usage_on_request: bool,
    /// Dialects whose model the path may hold, so that the body may do without.
    pub(super) model_may_be_in_path: &'static [Dialect],
}

/// Most servers know only the old name of the cap.
const USUAL: Habits = Habits {
    chat_caps: ["max_tokens", "max_completion_tokens"],
    sends_usage_on_request: true,
    model_may_be_in_path: &[],
};

/// Reasoning models reject the old name.
const NEW_CAP: Habits = Habits { chat_caps: ["max_completion_tokens", "max_tokens"], ..USUAL };

const HABITS: &[(Provider, Habits)] = &[
    (Provider::OpenAi, NEW_CAP),
    (Provider::Cerebras, NEW_CAP),
    // Azure's older paths name a deployment, its newer ones do not.
    (
        Provider::AzureOpenAi,
        Habits {
            model_may_be_in_path: &[
                Dialect::OpenAiChat,
                Dialect::OpenAiCompletions,
                Dialect::OpenAiEmbeddings,
                Dialect::OpenAiResponses,
            ],
            ..NEW_CAP
        },
    ),
    // `rawPredict`, but not the OpenAI-compatible endpoint.
    (Provider::Vertex, Habits { model_may_be_in_path: &[Dialect::AnthropicMessages], ..USUAL }),
    // Always sends usage, and rejects members it does not know.
    (Provider::Mistral, Habits { sends_usage_on_request: false, ..USUAL }),
];

/// The habits of `provider`; the usual ones if it has none of its own.
pub(super) fn of(provider: Provider) -> &'static Habits {
    HABITS.iter().find(|(named, _)| *named == provider).map_or(&USUAL, |(_, habits)| habits)
}
