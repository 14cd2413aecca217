//! Where texts and calls of tools are in the JSON texts of an answer, dialect by dialect.

use std::{borrow::Cow, ops::Range};

use super::Said;
use crate::{
    Dialect,
    request::{places, string},
};

/// Collects what JSON texts say.
pub(super) struct Listen<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) said: &'a mut Said,
}

/// The last value of this place in another, which is mostly one.
fn at<'b>(value: &'b [u8], place: &str) -> Option<&'b [u8]> {
    let mut found = None;
    places::each(value, place, &mut |value| found = Some(value));
    found.filter(|value| *value != b"null")
}

fn word<'b>(value: &'b [u8], place: &str) -> Option<Cow<'b, str>> {
    at(value, place).and_then(string)
}

fn number(value: &[u8], place: &str) -> Option<u64> {
    std::str::from_utf8(at(value, place)?).ok()?.parse().ok()
}

/// All values of a place.
fn all<'b>(value: &'b [u8], place: &str) -> Vec<&'b [u8]> {
    let mut found = Vec::new();
    places::each(value, place, &mut |value| found.push(value));
    found
}

/// JSON as it is written, of a member that holds JSON or a string with JSON in it.
fn json(value: &[u8]) -> String {
    match string(value) {
        Some(text) => text.into_owned(),
        None => String::from_utf8_lossy(value).into_owned(),
    }
}

impl Listen<'_> {
    fn place(&self, value: &[u8]) -> Range<usize> {
        let start = (value.as_ptr() as usize).saturating_sub(self.bytes.as_ptr() as usize);
        start..start + value.len()
    }

    /// A piece of text.
    fn text(&mut self, choice: u64, value: Option<&[u8]>) {
        let Some(value) = value else { return };
        if let Some(text) = string(value) {
            let place = self.place(value);
            let choice = self.said.choice(choice);
            choice.text.push_str(&text);
            choice.pieces.push(place);
        }
    }

    /// All of the text once more.
    fn echo(&mut self, choice: u64, value: Option<&[u8]>) {
        if let Some(value) = value.filter(|value| value.starts_with(b"\"")) {
            let place = self.place(value);
            self.said.choice(choice).echoes.push(place);
        }
    }

    /// A call, or a piece of it.
    fn call(&mut self, choice: u64, index: u64, name: Option<&[u8]>, arguments: Option<&[u8]>) {
        let call = self.said.choice(choice).call(index);
        if let Some(name) = name.and_then(string) {
            call.name.push_str(&name);
        }
        if let Some(arguments) = arguments {
            call.arguments.push_str(&json(arguments));
        }
    }

    pub(super) fn to(mut self, dialect: Dialect, texts: &[Range<usize>]) {
        let bytes = self.bytes;
        let is_stream = texts.len() > 1;
        for text in texts {
            let value = &bytes[text.clone()];
            match dialect {
                Dialect::OpenAiChat | Dialect::OpenAiCompletions => self.openai(value),
                Dialect::OpenAiResponses => self.responses(value, is_stream),
                Dialect::AnthropicMessages | Dialect::BedrockInvoke => self.anthropic(value),
                Dialect::Gemini => self.gemini(value),
                Dialect::BedrockConverse => self.converse(value),
                Dialect::CohereV2 => self.cohere(value),
                Dialect::OllamaNative => self.ollama(value),
                Dialect::OpenAiEmbeddings => {}
            }
        }
    }

    fn openai(&mut self, value: &[u8]) {
        for (position, choice) in (0..).zip(all(value, "choices/*")) {
            let index = number(choice, "index").unwrap_or(position);
            let Some(message) = at(choice, "message").or_else(|| at(choice, "delta")) else {
                continue;
            };
            // A choice is one even if it says nothing.
            self.said.choice(index);
            self.content(index, at(message, "content"));
            for (position, call) in (0..).zip(all(message, "tool_calls/*")) {
                let Some(function) = at(call, "function") else { continue };
                let number = number(call, "index").unwrap_or(position);
                self.call(index, number, at(function, "name"), at(function, "arguments"));
            }
            if let Some(function) = at(message, "function_call") {
                self.call(index, 0, at(function, "name"), at(function, "arguments"));
            }
        }
    }

    /// A text, or a list of parts with text in them.
    fn content(&mut self, index: u64, content: Option<&[u8]>) {
        let Some(content) = content else { return };
        self.text(index, Some(content));
        for part in all(content, "*") {
            if word(part, "type").is_none_or(|kind| kind == "text") {
                self.text(index, at(part, "text"));
            }
        }
    }

    fn responses(&mut self, value: &[u8], is_stream: bool) {
        if !is_stream {
            self.said.choice(0);
            for (position, item) in (0..).zip(all(value, "output/*")) {
                self.item(position, item, false);
            }
            return;
        }
        match word(value, "type").as_deref() {
            Some("response.output_text.delta") => self.text(0, at(value, "delta")),
            Some("response.output_text.done") => self.echo(0, at(value, "text")),
            Some("response.content_part.done") => self.echo(0, at(value, "part/text")),
            Some("response.output_item.done") => {
                let index = number(value, "output_index").unwrap_or_default();
                if let Some(item) = at(value, "item") {
                    self.item(index, item, true);
                }
            }
            Some("response.completed") => {
                self.said.choice(0);
                for text in all(value, "response/output/*/content/*") {
                    self.echo(0, at(text, "text"));
                }
            }
            _ => {}
        }
    }

    fn item(&mut self, index: u64, item: &[u8], is_echo: bool) {
        match word(item, "type").as_deref() {
            Some("message") => {
                for part in all(item, "content/*") {
                    if word(part, "type").is_some_and(|kind| kind == "output_text") {
                        match is_echo {
                            true => self.echo(0, at(part, "text")),
                            false => self.text(0, at(part, "text")),
                        }
                    }
                }
            }
            Some("function_call") => self.call(0, index, at(item, "name"), at(item, "arguments")),
            _ => {}
        }
    }

    fn anthropic(&mut self, value: &[u8]) {
        self.said.choice(0);
        let index = number(value, "index").unwrap_or_default();
        match word(value, "type").as_deref() {
            Some("content_block_start") => {
                let Some(block) = at(value, "content_block") else { return };
                match word(block, "type").as_deref() {
                    Some("text") => self.text(0, at(block, "text")),
                    Some("tool_use") => {
                        // The arguments follow, unless all of them are here.
                        let input = at(block, "input").filter(|input| *input != b"{}");
                        self.call(0, index, at(block, "name"), input);
                    }
                    _ => {}
                }
            }
            Some("content_block_delta") => match word(value, "delta/type").as_deref() {
                Some("text_delta") => self.text(0, at(value, "delta/text")),
                Some("input_json_delta") => {
                    // Tools that the provider runs have arguments as well.
                    let is_known = self.said.choice(0).calls.iter().any(|call| call.index == index);
                    if is_known {
                        self.call(0, index, None, at(value, "delta/partial_json"));
                    }
                }
                _ => {}
            },
            _ => {
                for (position, block) in (0..).zip(all(value, "content/*")) {
                    match word(block, "type").as_deref() {
                        Some("text") => self.text(0, at(block, "text")),
                        Some("tool_use") => {
                            self.call(0, position, at(block, "name"), at(block, "input"));
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn gemini(&mut self, value: &[u8]) {
        for (position, candidate) in (0..).zip(all(value, "candidates/*")) {
            let index = number(candidate, "index").unwrap_or(position);
            self.said.choice(index);
            for part in all(candidate, "content/parts/*") {
                if at(part, "thought") == Some(b"true") {
                    continue;
                }
                self.text(index, at(part, "text"));
                if let Some(call) = at(part, "functionCall") {
                    // Each is whole.
                    let number = self.said.choice(index).calls.len() as u64;
                    let arguments = at(call, "args").unwrap_or(b"{}");
                    self.call(index, number, at(call, "name"), Some(arguments));
                }
            }
        }
    }

    fn converse(&mut self, value: &[u8]) {
        self.said.choice(0);
        for (position, block) in (0..).zip(all(value, "output/message/content/*")) {
            self.text(0, at(block, "text"));
            if let Some(call) = at(block, "toolUse") {
                self.call(0, position, at(call, "name"), at(call, "input"));
            }
        }
        let index = number(value, "contentBlockIndex").unwrap_or_default();
        if let Some(start) = at(value, "start/toolUse") {
            self.call(0, index, at(start, "name"), None);
        }
        self.text(0, at(value, "delta/text"));
        if let Some(input) = at(value, "delta/toolUse/input") {
            self.call(0, index, None, Some(input));
        }
    }

    fn cohere(&mut self, value: &[u8]) {
        self.said.choice(0);
        let index = number(value, "index");
        let Some(message) = at(value, "message").or_else(|| at(value, "delta/message")) else {
            return;
        };
        // In a stream the members are single objects instead of lists.
        self.text(0, at(message, "content/text"));
        self.content(0, at(message, "content"));
        let calls = all(message, "tool_calls/*");
        let calls = calls.into_iter().chain(at(message, "tool_calls"));
        for (position, call) in (0..).zip(calls) {
            if let Some(function) = at(call, "function") {
                let number = index.unwrap_or(position);
                self.call(0, number, at(function, "name"), at(function, "arguments"));
            }
        }
    }

    fn ollama(&mut self, value: &[u8]) {
        self.said.choice(0);
        self.text(0, at(value, "message/content"));
        self.text(0, at(value, "response"));
        for call in all(value, "message/tool_calls/*/function") {
            // Each is whole.
            let number = self.said.choice(0).calls.len() as u64;
            self.call(0, number, at(call, "name"), at(call, "arguments"));
        }
    }
}
