//! How replies are told in each dialect: one file for each.
//!
//! The names of providers' fields stand here and in core's folder of the same name, on purpose: one
//! side writes, the other reads, and neither can share the other's mistake.

mod anthropic;
mod bedrock_converse;
mod bedrock_invoke;
mod cohere;
pub(super) mod event_stream;
pub(super) mod gemini;
mod ollama;
mod openai_chat;
mod openai_completions;
mod openai_embeddings;
mod openai_responses;
mod other;

use battlement_core::Dialect;
use http::StatusCode;

use crate::answer::{Answer, Asked, Content, Ending, Reply, head, reply::Said, write::Writer};

/// The provider replies.
///
/// What is asked for beside generated text (vectors, the size of a prompt, the list of models) is
/// answered in short, and is always complete.
pub fn reply(asked: &Asked, reply: &Reply) -> Answer {
    let said = Said::new(asked, reply);
    if !asked.generates() {
        return document(asked, |out| other::whole(out, asked, &said));
    }
    let mut answer = if asked.stream {
        stream(asked, &said)
    } else {
        document(asked, |out| whole(out, asked, &said))
    };
    if asked.dialect == Dialect::BedrockInvoke {
        bedrock_invoke::headers(asked, &said, &mut answer.headers);
    }
    answer
}

/// The dialect's word for an ending, if it has one.
pub(super) fn word(dialect: Dialect, ending: Ending) -> Option<&'static str> {
    match dialect {
        Dialect::OpenAiCompletions => openai_completions::word(ending),
        Dialect::OpenAiEmbeddings => None,
        Dialect::OpenAiResponses => openai_responses::word(ending),
        Dialect::AnthropicMessages | Dialect::BedrockInvoke => anthropic::word(ending),
        Dialect::Gemini => gemini::word(ending),
        Dialect::BedrockConverse => bedrock_converse::word(ending),
        Dialect::CohereV2 => cohere::word(ending),
        Dialect::OllamaNative => ollama::word(ending),
        _ => openai_chat::word(ending),
    }
}

/// The content type of a stream.
pub(super) fn stream_type(asked: &Asked) -> &'static str {
    match asked.dialect {
        Dialect::BedrockConverse | Dialect::BedrockInvoke => "application/vnd.amazon.eventstream",
        Dialect::OllamaNative => "application/x-ndjson",
        Dialect::Gemini if asked.array => JSON,
        Dialect::Gemini => "text/event-stream",
        _ => "text/event-stream; charset=utf-8",
    }
}

/// A document with a status of success.
pub(super) fn document(asked: &Asked, write: impl FnOnce(&mut Writer)) -> Answer {
    let mut out = Writer::with_capacity(2048, 0);
    write(&mut out);
    let headers = head::headers(asked, JSON);
    Answer { status: StatusCode::OK, headers, content: Content::Whole(out.bytes.into()) }
}

const JSON: &str = "application/json";

fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    match asked.dialect {
        Dialect::OpenAiCompletions => openai_completions::whole(out, asked, said),
        Dialect::OpenAiResponses => openai_responses::whole(out, asked, said),
        Dialect::AnthropicMessages | Dialect::BedrockInvoke => anthropic::whole(out, asked, said),
        Dialect::Gemini => gemini::whole(out, asked, said),
        Dialect::BedrockConverse => bedrock_converse::whole(out, asked, said),
        Dialect::CohereV2 => cohere::whole(out, asked, said),
        Dialect::OllamaNative => ollama::whole(out, asked, said),
        _ => openai_chat::whole(out, asked, said),
    }
}

fn stream(asked: &Asked, said: &Said<'_>) -> Answer {
    let chunks = said.chunks.min(said.text.len());
    let mut out = Writer::with_capacity(2048 + 2 * said.text.len() + 320 * chunks, chunks + 12);
    match asked.dialect {
        Dialect::OpenAiCompletions => openai_completions::stream(&mut out, asked, said),
        Dialect::OpenAiResponses => openai_responses::stream(&mut out, asked, said),
        Dialect::AnthropicMessages => anthropic::stream(&mut out, asked, said),
        Dialect::Gemini => gemini::stream(&mut out, asked, said),
        Dialect::BedrockConverse => bedrock_converse::stream(&mut out, asked, said),
        Dialect::BedrockInvoke => bedrock_invoke::stream(&mut out, asked, said),
        Dialect::CohereV2 => cohere::stream(&mut out, asked, said),
        Dialect::OllamaNative => ollama::stream(&mut out, asked, said),
        _ => openai_chat::stream(&mut out, asked, said),
    }
    let headers = head::headers(asked, stream_type(asked));
    Answer { status: StatusCode::OK, headers, content: out.into_events() }
}
