//! OpenAI Chat Completions, as read with `serde_json` and `jiter`; bodies and chunks alike.

use std::borrow::Cow;

use battlement_core::{Dialect, Provider};
use jiter::{Jiter, JiterResult, NumberInt, Peek};
use serde::Deserialize;
use serde_json::Value;

use super::{Facts, Finish, Usage, ours::Ours, sse::Wire};

/// The wire of a chat stream.
pub(super) struct Chat;

impl Wire for Chat {
    const NEEDLES: [&'static str; 3] = ["finish_reason\":\"", "\"usage\":{", "\"error\""];
    const TEXT: &'static str = "\"content\":\"";

    fn ours() -> Ours {
        Ours::stream(Dialect::OpenAiChat, Provider::OpenAi)
    }

    fn typed(data: &str, facts: &mut Facts) {
        if data == "[DONE]" {
            facts.clean_end = true;
        } else {
            let chunk: Answer<'_, Text<'_>> = serde_json::from_str(data).expect("a chunk");
            chunk.tell(facts);
        }
    }

    fn pulled(data: &[u8], facts: &mut Facts) {
        if data == b"[DONE]" {
            facts.clean_end = true;
        } else {
            pull(&mut Jiter::new(data), facts).expect("a chunk");
        }
    }

    fn is_end(line: &[u8]) -> bool {
        line == b"data: [DONE]"
    }
}

/// The struct people write. `Text` is what they make of a text.
#[derive(Deserialize)]
struct Answer<'a, Text> {
    #[serde(borrow, default = "Vec::new")]
    choices: Vec<Choice<'a, Text>>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice<'a, Text> {
    index: u64,
    #[serde(alias = "delta")]
    message: Option<Message<Text>>,
    #[serde(borrow)]
    finish_reason: Option<self::Text<'a>>,
}

#[derive(Deserialize)]
struct Message<Text> {
    content: Option<Text>,
    refusal: Option<Text>,
    tool_calls: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

/// A text, borrowed where it holds no escape; an `Option<Cow<str>>` would never borrow.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Whether a text holds anything: never a copy of it, though serde_json still unescapes it.
struct NonEmpty(bool);

impl<'de> Deserialize<'de> for NonEmpty {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = NonEmpty;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<NonEmpty, E> {
                Ok(NonEmpty(!text.is_empty()))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

trait Said {
    fn said(&self) -> bool;
}

impl Said for Text<'_> {
    fn said(&self) -> bool {
        !self.0.is_empty()
    }
}

impl Said for NonEmpty {
    fn said(&self) -> bool {
        self.0
    }
}

impl<Text: Said> Answer<'_, Text> {
    fn tell(&self, facts: &mut Facts) {
        for choice in &self.choices {
            if let Some(message) = &choice.message {
                facts.output |= message.content.as_ref().is_some_and(Text::said)
                    || message.refusal.as_ref().is_some_and(Text::said)
                    || message.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty());
            }
            if let Some(reason) = &choice.finish_reason {
                facts.finish = Some(Finish::of(&reason.0));
                facts.index = Some(choice.index);
            }
        }
        if let Some(counts) = &self.usage {
            facts.usage = Usage {
                input: counts.prompt_tokens,
                output: counts.completion_tokens,
                cached: counts.prompt_tokens_details.as_ref().and_then(|some| some.cached_tokens),
                reasoning: counts
                    .completion_tokens_details
                    .as_ref()
                    .and_then(|some| some.reasoning_tokens),
            };
        }
    }
}

/// A body, with the text as a `Cow<str>`.
pub(super) fn typed(body: &[u8]) -> Facts {
    let mut facts = Facts::default();
    let answer: Answer<'_, Text<'_>> = serde_json::from_slice(body).expect("a completion");
    answer.tell(&mut facts);
    facts
}

/// A body, with the text looked at and dropped.
pub(super) fn typed_without_text(body: &[u8]) -> Facts {
    let mut facts = Facts::default();
    let answer: Answer<'_, NonEmpty> = serde_json::from_slice(body).expect("a completion");
    answer.tell(&mut facts);
    facts
}

/// A body, as a tree of everything.
pub(super) fn value(body: &[u8]) -> Facts {
    let answer: Value = serde_json::from_slice(body).expect("a completion");
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    let usage = &answer["usage"];
    Facts {
        finish: choice["finish_reason"].as_str().map(Finish::of),
        index: choice["index"].as_u64(),
        usage: Usage {
            input: usage["prompt_tokens"].as_u64(),
            output: usage["completion_tokens"].as_u64(),
            cached: usage["prompt_tokens_details"]["cached_tokens"].as_u64(),
            reasoning: usage["completion_tokens_details"]["reasoning_tokens"].as_u64(),
        },
        output: message["content"].as_str().is_some_and(|text| !text.is_empty())
            || message["refusal"].as_str().is_some_and(|text| !text.is_empty())
            || message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty()),
        clean_end: false,
    }
}

/// A body, pulled through jiter.
pub(super) fn pulled(body: &[u8]) -> Facts {
    let mut facts = Facts::default();
    pull(&mut Jiter::new(body), &mut facts).expect("a completion");
    facts
}

fn pull(jiter: &mut Jiter<'_>, facts: &mut Facts) -> JiterResult<()> {
    let mut key = jiter.next_object()?;
    while let Some(name) = key {
        match name {
            "choices" => {
                let mut element = jiter.next_array()?;
                while element.is_some() {
                    pull_choice(jiter, facts)?;
                    element = jiter.array_step()?;
                }
            }
            "usage" => pull_usage(jiter, &mut facts.usage)?,
            _ => jiter.next_skip()?,
        }
        key = jiter.next_key()?;
    }
    jiter.finish()
}

fn pull_choice(jiter: &mut Jiter<'_>, facts: &mut Facts) -> JiterResult<()> {
    let mut index = None;
    let mut finish = None;
    let mut key = jiter.next_object()?;
    while let Some(name) = key {
        match name {
            "index" => index = pull_count(jiter)?,
            "message" | "delta" => pull_message(jiter, facts)?,
            "finish_reason" => match jiter.peek()? {
                Peek::String => finish = Some(Finish::of(jiter.known_str()?)),
                other => jiter.known_skip(other)?,
            },
            _ => jiter.next_skip()?,
        }
        key = jiter.next_key()?;
    }
    if finish.is_some() {
        facts.finish = finish;
        facts.index = index;
    }
    Ok(())
}

fn pull_message(jiter: &mut Jiter<'_>, facts: &mut Facts) -> JiterResult<()> {
    let mut key = jiter.next_object()?;
    while let Some(name) = key {
        match name {
            "content" | "refusal" => match jiter.peek()? {
                Peek::String => facts.output |= !jiter.known_bytes()?.is_empty(),
                other => jiter.known_skip(other)?,
            },
            "tool_calls" => {
                let mut element = jiter.next_array()?;
                facts.output |= element.is_some();
                while element.is_some() {
                    jiter.next_skip()?;
                    element = jiter.array_step()?;
                }
            }
            _ => jiter.next_skip()?,
        }
        key = jiter.next_key()?;
    }
    Ok(())
}

/// The counts have the same names one level down, so one function reads both levels.
fn pull_usage(jiter: &mut Jiter<'_>, usage: &mut Usage) -> JiterResult<()> {
    let peek = jiter.peek()?;
    if peek != Peek::Object {
        return jiter.known_skip(peek);
    }
    let mut key = jiter.next_object()?;
    while let Some(name) = key {
        match name {
            "prompt_tokens" => usage.input = pull_count(jiter)?,
            "completion_tokens" => usage.output = pull_count(jiter)?,
            "cached_tokens" => usage.cached = pull_count(jiter)?,
            "reasoning_tokens" => usage.reasoning = pull_count(jiter)?,
            "prompt_tokens_details" | "completion_tokens_details" => pull_usage(jiter, usage)?,
            _ => jiter.next_skip()?,
        }
        key = jiter.next_key()?;
    }
    Ok(())
}

pub(super) fn pull_count(jiter: &mut Jiter<'_>) -> JiterResult<Option<u64>> {
    let NumberInt::Int(count) = jiter.next_int()? else { return Ok(None) };
    Ok(count.try_into().ok())
}
