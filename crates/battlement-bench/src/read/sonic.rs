// unsafe: the peer's fastest forms skip checks, and a comparison has to be with those as well.
#![expect(unsafe_code, reason = "sonic-rs's unchecked forms are its fastest, and they are unsafe")]

//! OpenAI chat completions, as read with `sonic-rs`, checked and unchecked.

use std::borrow::Cow;

use sonic_rs::{JsonValueTrait as _, LazyValue, PointerTree, pointer};

use super::{Facts, Finish, Usage};

/// The fields to find, compiled once as its documentation shows.
pub(super) struct Fields {
    tree: PointerTree,
    text: bool,
}

impl Fields {
    pub(super) fn all() -> Self {
        let mut fields = Self::without_text();
        fields.tree.add_path(&pointer!["choices", 0, "message", "content"]);
        fields.tree.add_path(&pointer!["choices", 0, "message", "refusal"]);
        fields.tree.add_path(&pointer!["choices", 0, "message", "tool_calls"]);
        fields.text = true;
        fields
    }

    /// Without a look at the message, which it can then skip without checking anything in it.
    pub(super) fn without_text() -> Self {
        let mut tree = PointerTree::new();
        tree.add_path(&pointer!["choices", 0, "finish_reason"]);
        tree.add_path(&pointer!["choices", 0, "index"]);
        tree.add_path(&pointer!["usage", "prompt_tokens"]);
        tree.add_path(&pointer!["usage", "completion_tokens"]);
        tree.add_path(&pointer!["usage", "prompt_tokens_details", "cached_tokens"]);
        tree.add_path(&pointer!["usage", "completion_tokens_details", "reasoning_tokens"]);
        Self { tree, text: false }
    }

    pub(super) fn checked(&self, body: &[u8]) -> Facts {
        self.tell(&sonic_rs::get_many(body, &self.tree).expect("a completion"))
    }

    pub(super) fn unchecked(&self, body: &[u8]) -> Facts {
        // SAFETY: the body is generated, and its test parses it: it is well-formed JSON in UTF-8.
        let found = unsafe { sonic_rs::get_many_unchecked(body, &self.tree) };
        self.tell(&found.expect("a completion"))
    }

    fn tell(&self, found: &[Option<LazyValue<'_>>]) -> Facts {
        let count = |place: usize| found[place].as_ref().and_then(LazyValue::as_u64);
        Facts {
            finish: found[0].as_ref().and_then(LazyValue::as_str).map(Finish::of),
            index: count(1),
            usage: Usage {
                input: count(2),
                output: count(3),
                cached: count(4),
                reasoning: count(5),
            },
            output: self.text && found[6..].iter().flatten().any(says_something),
            clean_end: false,
        }
    }
}

/// Goes through the objects by hand, one lazy value inside the other.
pub(super) fn lazy_unchecked(body: &[u8]) -> Facts {
    let mut facts = Facts::default();
    for (key, value) in fields(body) {
        match &*key {
            "choices" => lazy_choices(value.as_raw_str(), &mut facts),
            "usage" => lazy_usage(value.as_raw_str(), &mut facts.usage),
            _ => {}
        }
    }
    facts
}

fn lazy_choices(choices: &str, facts: &mut Facts) {
    // SAFETY: part of a body that is well-formed.
    for choice in unsafe { sonic_rs::to_array_iter_unchecked(choices) } {
        for (key, value) in fields(choice.expect("a choice").as_raw_str().as_bytes()) {
            match &*key {
                "index" => facts.index = value.as_u64(),
                "finish_reason" => facts.finish = value.as_str().map(Finish::of),
                "message" => {
                    facts.output |= fields(value.as_raw_str().as_bytes()).any(|(key, value)| {
                        matches!(&*key, "content" | "refusal" | "tool_calls")
                            && says_something(&value)
                    });
                }
                _ => {}
            }
        }
    }
}

/// The counts have the same names one level down, so one function reads both levels.
fn lazy_usage(object: &str, usage: &mut Usage) {
    for (key, value) in fields(object.as_bytes()) {
        match &*key {
            "prompt_tokens" => usage.input = value.as_u64(),
            "completion_tokens" => usage.output = value.as_u64(),
            "cached_tokens" => usage.cached = value.as_u64(),
            "reasoning_tokens" => usage.reasoning = value.as_u64(),
            "prompt_tokens_details" | "completion_tokens_details" => {
                lazy_usage(value.as_raw_str(), usage);
            }
            _ => {}
        }
    }
}

fn fields(object: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, LazyValue<'_>)> {
    // SAFETY: a body that is well-formed, or a part of one.
    unsafe { sonic_rs::to_object_iter_unchecked(object) }.map(|field| field.expect("a field"))
}

fn says_something(value: &LazyValue<'_>) -> bool {
    !matches!(value.as_raw_str(), "null" | "\"\"" | "[]")
}
