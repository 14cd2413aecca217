//! What is no generated text: vectors, the size of a prompt, the list of models.

use std::fmt;

use battlement_core::{Dialect, request::Operation};

use super::openai_embeddings::{self, list};
use crate::answer::{
    Asked,
    head::uuid,
    moment::Moment,
    reply::Said,
    text::Escaped,
    write::{Writer, made},
};

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    match asked.operation {
        Operation::Models => write!(out, "{}", models(asked)),
        Operation::CountTokens => write!(out, "{}", count(asked, said.input)),
        _ => embeddings(out, asked, said),
    }
}

fn models(asked: &Asked) -> impl fmt::Display {
    let model = Escaped(&asked.model);
    made(move |f| match asked.dialect {
        Dialect::AnthropicMessages => {
            let created = Moment::of(asked.at).rfc3339();
            write!(
                f,
                r#"{{"data":[{{"type":"model","id":"{model}","display_name":"{model}","created_at":"{created}"}}],"has_more":false,"first_id":"{model}","last_id":"{model}"}}"#
            )
        }
        Dialect::Gemini => write!(
            f,
            r#"{{"models":[{{"name":"models/{model}","supportedGenerationMethods":["generateContent","countTokens"]}}]}}"#
        ),
        Dialect::BedrockConverse | Dialect::BedrockInvoke => write!(
            f,
            r#"{{"modelSummaries":[{{"modelId":"{model}","responseStreamingSupported":true}}]}}"#
        ),
        Dialect::CohereV2 => {
            write!(f, r#"{{"models":[{{"name":"{model}","endpoints":["chat"]}}]}}"#)
        }
        Dialect::OllamaNative => {
            write!(f, r#"{{"models":[{{"name":"{model}","model":"{model}"}}]}}"#)
        }
        _ => {
            let created = asked.seconds();
            write!(
                f,
                r#"{{"object":"list","data":[{{"id":"{model}","object":"model","created":{created},"owned_by":"system"}}]}}"#
            )
        }
    })
}

fn count(asked: &Asked, tokens: u64) -> impl fmt::Display {
    made(move |f| match asked.dialect {
        Dialect::Gemini => write!(f, r#"{{"totalTokens":{tokens}}}"#),
        Dialect::BedrockConverse | Dialect::BedrockInvoke => {
            write!(f, r#"{{"inputTokens":{tokens}}}"#)
        }
        Dialect::AnthropicMessages => write!(f, r#"{{"input_tokens":{tokens}}}"#),
        _ => write!(f, r#"{{"object":"response.input_tokens","input_tokens":{tokens}}}"#),
    })
}

fn embeddings(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let input = said.input;
    let vectors = || list(asked, |f, _, vector| vector.fmt(f));
    match asked.dialect {
        Dialect::Gemini if asked.inputs.is_some() => {
            let list = list(asked, |f, _, vector| write!(f, r#"{{"values":{vector}}}"#));
            write!(out, r#"{{"embeddings":{list}}}"#);
        }
        Dialect::Gemini => {
            write!(out, r#"{{"embedding":{{"values":{}}}}}"#, openai_embeddings::vector(asked, 0));
        }
        Dialect::CohereV2 => write!(
            out,
            r#"{{"id":"{}","embeddings":{{"float":{}}},"texts":[],"meta":{{"billed_units":{{"input_tokens":{input}}}}}}}"#,
            uuid(asked.id()),
            vectors()
        ),
        Dialect::OllamaNative => write!(
            out,
            r#"{{"model":"{}","embeddings":{},"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":{input}}}"#,
            Escaped(&asked.model),
            vectors()
        ),
        _ => openai_embeddings::whole(out, asked, said),
    }
}
