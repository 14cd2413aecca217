//! The same question, with the answer to it and what is wrong with that.

use crate::{
    Dialect,
    request::{elements, places::Top, string},
    write::Escaped,
};

/// The request with its last answer behind it, and a complaint about that. `None` if it holds no
/// conversation that could go on.
///
/// The answer is told as text, calls of tools included: a call in the conversation would have to be answered
/// before anything else may follow. It is to be made of the first request each time, so that it does not
/// grow with every round.
pub fn again(dialect: Dialect, body: &[u8], answer: &str, complaint: &str) -> Option<Vec<u8>> {
    let top = Top::read(body).ok()??;
    // No provider takes a message without a word in it.
    let answer = if answer.trim().is_empty() { "(nothing)" } else { answer };
    let (answer, complaint) = (Escaped(answer), Escaped(complaint));
    let plain = || {
        format!(
            r#"{{"role":"assistant","content":"{answer}"}},{{"role":"user","content":"{complaint}"}}"#
        )
    };
    match dialect {
        Dialect::OpenAiChat
        | Dialect::AnthropicMessages
        | Dialect::BedrockInvoke
        | Dialect::CohereV2 => append(body, &top, "messages", &plain()),
        Dialect::OllamaNative => match top.range("messages") {
            Some(_) => append(body, &top, "messages", &plain()),
            None => {
                let prompt = string(top.get("prompt")?)?;
                let prompt = format!("\"{}\\n\\n{answer}\\n\\n{complaint}\"", Escaped(&prompt));
                replace(body, &top, "prompt", &prompt)
            }
        },
        Dialect::OpenAiResponses => match string(top.get("input")?) {
            Some(input) => {
                let input = Escaped(&input);
                let list = format!(r#"[{{"role":"user","content":"{input}"}},{}]"#, plain());
                replace(body, &top, "input", &list)
            }
            None => append(body, &top, "input", &plain()),
        },
        Dialect::Gemini => {
            let turns = format!(
                r#"{{"role":"model","parts":[{{"text":"{answer}"}}]}},{{"role":"user","parts":[{{"text":"{complaint}"}}]}}"#
            );
            append(body, &top, "contents", &turns)
        }
        Dialect::BedrockConverse => {
            let turns = format!(
                r#"{{"role":"assistant","content":[{{"text":"{answer}"}}]}},{{"role":"user","content":[{{"text":"{complaint}"}}]}}"#
            );
            append(body, &top, "messages", &turns)
        }
        Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings => None,
    }
}

/// The body with more elements at the end of a list.
fn append(body: &[u8], top: &Top<'_>, list: &str, more: &str) -> Option<Vec<u8>> {
    let range = top.range(list)?;
    let mut is_empty = true;
    let is_list = elements(&body[range.clone()], |_| is_empty = false);
    if !is_list.is_ok_and(|is_list| is_list) {
        return None;
    }
    // Behind its last element is its bracket.
    let end = range.end.checked_sub(1)?;
    let comma = if is_empty { "" } else { "," };
    Some([&body[..end], comma.as_bytes(), more.as_bytes(), &body[end..]].concat())
}

fn replace(body: &[u8], top: &Top<'_>, member: &str, value: &str) -> Option<Vec<u8>> {
    let range = top.range(member)?;
    Some([&body[..range.start], value.as_bytes(), &body[range.end..]].concat())
}
