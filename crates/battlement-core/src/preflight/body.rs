//! The one look through a body.

use super::{Check, Checks, Finding, is_easy_going, schema};
use crate::{
    Dialect, Provider,
    models::{self, Limits},
    request::{Facts, Operation, places::Top},
};

/// What is looked for in a body, and what is known of the model.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// What is looked for. [`Check::Key`] is not: see [`key`](super::key).
    pub checks: Checks,
    /// What the model can do, as far as that is known.
    pub limits: Limits,
    /// Who validates schemas. Without anybody, all that is found is one that is not an object.
    pub judge: Option<schema::Judge>,
}

impl Inspection {
    /// For everything, with what is known of the model.
    pub fn of(facts: &Facts) -> Self {
        // Without a cap there is nothing to hold against them.
        let limits = facts.max_output_tokens.and(facts.model.as_deref());
        let limits = limits.and_then(|model| models::limits(facts.provider, model));
        Self { checks: Checks::ALL, limits: limits.unwrap_or_default(), judge: None }
    }

    /// What is wrong with a body of which these are the facts. Only operations are judged whose body is known to be a
    /// JSON object.
    pub fn findings(&self, facts: &Facts, body: &[u8]) -> Vec<Finding> {
        let mut found = Vec::new();
        let Some(dialect) = facts.dialect.filter(|_| has_body(facts.operation)) else {
            return found;
        };
        if !facts.body_is_json {
            found.extend(self.not_json(body));
            return found;
        }
        if !self.needs_body(facts) {
            return found;
        }
        let Ok(Some(top)) = Top::read(body) else { return found };
        let checks = self.checks;
        if checks.has(Check::Model) {
            found.extend(no_model(dialect, facts, &top));
        }
        if checks.has(Check::Prompt) {
            found.extend(no_prompt(dialect, facts, &top));
        }
        if checks.has(Check::Schema) && has_schemas(facts) {
            schema::look(dialect, &top, self.judge, &mut found);
        }
        if checks.has(Check::OutputCap) {
            found.extend(self.too_long(dialect, facts, &top));
        }
        found
    }

    /// Whether anything is looked for that the facts do not tell.
    fn needs_body(&self, facts: &Facts) -> bool {
        let asks = |check: Check, is_open: bool| self.checks.has(check) && is_open;
        asks(Check::Prompt, true)
            || asks(Check::Model, facts.model.as_deref().is_none_or(str::is_empty))
            || asks(Check::Schema, has_schemas(facts))
            || asks(Check::OutputCap, self.excess(facts).is_some())
    }

    fn not_json(&self, body: &[u8]) -> Option<Finding> {
        if !self.checks.has(Check::Json) {
            return None;
        }
        match Top::read(body) {
            Ok(Some(_)) => None,
            Ok(None) => Some(Finding::new(Check::Json, "", "the body is not a JSON object")),
            Err(broken) => {
                let rest = body.get(broken.at..).unwrap_or_default();
                let rest = rest.strip_prefix(b"-").unwrap_or(rest);
                // What some writers and readers of JSON agree on, and a mark that some leave out.
                let is_close = rest.starts_with(b"NaN")
                    || rest.starts_with(b"Infinity")
                    || body.starts_with(b"\xef\xbb\xbf");
                let sentence = match body.trim_ascii() {
                    [] => "there is no body".into(),
                    _ => format!("the body is not JSON, from byte {} on", broken.at),
                };
                (!is_close).then(|| Finding::new(Check::Json, "", sentence))
            }
        }
    }

    /// The cap, and what it is too large for.
    fn excess(&self, facts: &Facts) -> Option<(u64, u64)> {
        let (cap, most) = (facts.max_output_tokens?, self.limits.output?);
        (cap > most).then_some((cap, most))
    }

    fn too_long(&self, dialect: Dialect, facts: &Facts, top: &Top<'_>) -> Option<Finding> {
        let (cap, most) = self.excess(facts)?;
        let at = match dialect {
            Dialect::OpenAiChat if top.has("max_completion_tokens") => "/max_completion_tokens",
            Dialect::OpenAiResponses => "/max_output_tokens",
            Dialect::Gemini if top.has("generation_config") => {
                "/generation_config/max_output_tokens"
            }
            Dialect::Gemini => "/generationConfig/maxOutputTokens",
            Dialect::BedrockConverse => "/inferenceConfig/maxTokens",
            Dialect::OllamaNative => "/options/num_predict",
            _ => "/max_tokens",
        };
        let sentence = format!("{cap} tokens are asked for, and the model gives at most {most}");
        Some(Finding::new(Check::OutputCap, at, sentence))
    }
}

fn has_body(operation: Operation) -> bool {
    operation.generates() || matches!(operation, Operation::Embeddings | Operation::CountTokens)
}

fn has_schemas(facts: &Facts) -> bool {
    facts.tools || facts.structured_output
}

fn no_model(dialect: Dialect, facts: &Facts, top: &Top<'_>) -> Option<Finding> {
    // OpenRouter has a model for those who name none, and a stored prompt of Responses may name one.
    let may_be_open = is_easy_going(facts.provider)
        || facts.provider == Provider::OpenRouter
        || dialect == Dialect::OpenAiResponses && top.has("prompt");
    let is_named = facts.model.as_deref().is_some_and(|model| !model.trim().is_empty());
    if is_named || may_be_open {
        return None;
    }
    let at = match dialect {
        Dialect::Gemini | Dialect::BedrockConverse | Dialect::BedrockInvoke => "path",
        _ => "/model",
    };
    Some(Finding::new(Check::Model, at, "no model is named"))
}

/// What is wrong with a list that must hold something.
fn no_list(value: Option<&[u8]>, may_be_empty: bool) -> Option<&'static str> {
    let value = value.unwrap_or(b"null");
    let is_empty = |list: &[u8]| list.get(1..).unwrap_or_default().trim_ascii_start() == b"]";
    match value.first() {
        Some(b'[') if is_empty(value) && !may_be_empty => Some("there is no message"),
        Some(b'[') => None,
        Some(b'n') => Some("it is missing"),
        _ => Some("it is not a list"),
    }
}

fn no_prompt(dialect: Dialect, facts: &Facts, top: &Top<'_>) -> Option<Finding> {
    let messages = |name: &str, may_be_empty: bool| {
        let wrong = no_list(top.get(name), may_be_empty)?;
        Some(Finding::new(Check::Prompt, format!("/{name}"), wrong))
    };
    let is_chat = facts.operation != Operation::Embeddings;
    match dialect {
        Dialect::OpenAiChat if is_chat => messages("messages", is_easy_going(facts.provider)),
        Dialect::AnthropicMessages | Dialect::CohereV2 if is_chat => messages("messages", false),
        // A stored prompt brings messages of its own.
        Dialect::BedrockConverse if facts.operation == Operation::Chat => {
            let is_stored = facts.model.as_deref().is_some_and(|model| model.contains(":prompt/"));
            if is_stored { None } else { messages("messages", false) }
        }
        Dialect::BedrockInvoke if top.has("anthropic_version") => messages("messages", false),
        Dialect::Gemini if facts.operation == Operation::GenerateContent => {
            // The protocol has one name for each, and a list of one may be written without its brackets.
            let is_single = top.get("contents").is_some_and(|value| value.starts_with(b"{"));
            if is_single { None } else { messages("contents", false) }
        }
        Dialect::OpenAiResponses if facts.operation == Operation::Chat => {
            let names = ["input", "prompt", "conversation", "previous_response_id"];
            let is_asked = names.iter().any(|name| top.has(name));
            (!is_asked).then(|| Finding::new(Check::Prompt, "/input", "it is missing"))
        }
        Dialect::OpenAiEmbeddings => {
            let is_empty = !top.has("input")
                || no_list(top.get("input"), false) == Some("there is no message");
            (is_empty && !is_easy_going(facts.provider))
                .then(|| Finding::new(Check::Prompt, "/input", "there is nothing in it"))
        }
        _ => None,
    }
}
