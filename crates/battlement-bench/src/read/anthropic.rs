//! Anthropic Messages streams, as read with `serde_json` and `jiter`.

use battlement_core::{Dialect, Provider};
use jiter::{Jiter, JiterResult, Peek};
use serde::Deserialize;

use super::{
    Facts, Finish,
    openai::{Text, pull_count},
    ours::Ours,
    sse::Wire,
};

/// The wire of a Messages stream.
pub(super) struct Messages;

impl Wire for Messages {
    const NEEDLES: [&'static str; 3] = ["stop_reason\":\"", "\"usage\":{", "\"error\""];
    const TEXT: &'static str = "\"text\":\"";

    fn ours() -> Ours {
        Ours::stream(Dialect::AnthropicMessages, Provider::Anthropic)
    }

    fn typed(data: &str, facts: &mut Facts) {
        let event: Event<'_> = serde_json::from_str(data).expect("an event");
        event.tell(facts);
    }

    fn pulled(data: &[u8], facts: &mut Facts) {
        pull_event(&mut Jiter::new(data), facts).expect("an event");
    }

    fn is_end(line: &[u8]) -> bool {
        line.starts_with(b"data: {\"type\":\"message_stop\"")
    }
}

/// Every event in one flat struct: a tagged enum, which most people write, is slower, because serde
/// has to buffer the fields before it.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    message: Option<Message>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Message {
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct Counts {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Counts {
    /// Input is what was fresh plus what came from or went to the cache.
    fn tell(&self, facts: &mut Facts) {
        if let Some(fresh) = self.input_tokens {
            let cached = self.cache_read_input_tokens.unwrap_or(0);
            let written = self.cache_creation_input_tokens.unwrap_or(0);
            facts.usage.input = Some(fresh + cached + written);
        }
        facts.usage.cached = self.cache_read_input_tokens.or(facts.usage.cached);
        facts.usage.output = self.output_tokens.or(facts.usage.output);
    }
}

impl Event<'_> {
    fn tell(&self, facts: &mut Facts) {
        if let Some(delta) = &self.delta {
            facts.output |= delta.text.as_ref().is_some_and(|text| !text.0.is_empty())
                || delta.partial_json.as_ref().is_some_and(|text| !text.0.is_empty());
            if let Some(reason) = &delta.stop_reason {
                facts.finish = Some(Finish::of(&reason.0));
                facts.index = Some(0);
            }
        }
        for counts in
            self.message.iter().filter_map(|message| message.usage.as_ref()).chain(&self.usage)
        {
            counts.tell(facts);
        }
        facts.clean_end |= self.kind.0 == "message_stop";
    }
}

fn pull_event(jiter: &mut Jiter<'_>, facts: &mut Facts) -> JiterResult<()> {
    let mut key = jiter.next_object()?;
    while let Some(name) = key {
        match name {
            "type" => facts.clean_end |= jiter.next_str()? == "message_stop",
            "message" => {
                let mut key = jiter.next_object()?;
                while let Some(name) = key {
                    match name {
                        "usage" => pull_usage(jiter, facts)?,
                        _ => jiter.next_skip()?,
                    }
                    key = jiter.next_key()?;
                }
            }
            "delta" => pull_delta(jiter, facts)?,
            "usage" => pull_usage(jiter, facts)?,
            _ => jiter.next_skip()?,
        }
        key = jiter.next_key()?;
    }
    jiter.finish()
}

fn pull_delta(jiter: &mut Jiter<'_>, facts: &mut Facts) -> JiterResult<()> {
    let mut key = jiter.next_object()?;
    while let Some(name) = key {
        match name {
            "text" | "partial_json" => facts.output |= !jiter.next_bytes()?.is_empty(),
            "stop_reason" => match jiter.peek()? {
                Peek::String => {
                    facts.finish = Some(Finish::of(jiter.known_str()?));
                    facts.index = Some(0);
                }
                other => jiter.known_skip(other)?,
            },
            _ => jiter.next_skip()?,
        }
        key = jiter.next_key()?;
    }
    Ok(())
}

fn pull_usage(jiter: &mut Jiter<'_>, facts: &mut Facts) -> JiterResult<()> {
    let mut counts = Counts::default();
    let mut key = jiter.next_object()?;
    while let Some(name) = key {
        match name {
            "input_tokens" => counts.input_tokens = pull_count(jiter)?,
            "cache_creation_input_tokens" => {
                counts.cache_creation_input_tokens = pull_count(jiter)?;
            }
            "cache_read_input_tokens" => counts.cache_read_input_tokens = pull_count(jiter)?,
            "output_tokens" => counts.output_tokens = pull_count(jiter)?,
            _ => jiter.next_skip()?,
        }
        key = jiter.next_key()?;
    }
    counts.tell(facts);
    Ok(())
}
