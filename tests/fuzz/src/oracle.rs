//! A slow reader that shares nothing with the one under test, and is asked one question: can this
//! answer be the success that it was taken for?
//!
//! It holds whole bodies, splits lines, parses every event into a tree and then looks at it. It
//! gives no verdicts of its own; where a body is outside of what it understands it stays silent,
//! and every such place is named below.

use std::collections::BTreeMap;

use battlement_core::Dialect;

use super::{
    framing::{Framing, crc32, from_base64, lines},
    json::{self, Json},
};

/// Words for stopping that an answer may end with and be a success.
pub const SUCCESS: [&str; 17] = [
    "stop",
    "end_turn",
    "completed",
    "complete",
    "eos",
    "finish",
    "stop_sequence",
    "stop_criteria_met",
    "tool_calls",
    "function_call",
    "tool_use",
    "tool_call",
    "pause_turn",
    "compaction",
    "continuation",
    "load",
    "unload",
];

pub fn is_success_word(word: &str) -> bool {
    SUCCESS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Why this body cannot be a success, if the slow reader knows a reason.
pub fn refute(
    dialect: Dialect,
    framing: Framing,
    streamed: bool,
    body: &[u8],
) -> Result<(), String> {
    let mut slow = Slow { dialect, choices: BTreeMap::new(), unclear: false };
    match framing {
        Framing::Json if !streamed => slow.document(trim(body))?,
        Framing::Json | Framing::Ndjson | Framing::JsonArray => slow.documents(trim(body))?,
        Framing::Sse => slow.sse(body)?,
        Framing::EventStream => slow.frames(body)?,
    }
    slow.is_finished()
}

/// What may stand before a document: blanks, and byte order marks or parts of them.
fn trim(body: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0xEF | 0xBB | 0xBF);
    &body[body.iter().take_while(|byte| blank(byte)).count()..]
}

struct Slow {
    dialect: Dialect,
    /// The last word of each choice in each event.
    choices: BTreeMap<u32, Vec<String>>,
    /// Something was met that is outside of what this reader understands.
    unclear: bool,
}

impl Slow {
    fn is_finished(&self) -> Result<(), String> {
        if self.unclear || self.dialect == Dialect::OpenAiEmbeddings {
            return Ok(());
        }
        if self.choices.is_empty() {
            return Err("no choice has a reason".to_owned());
        }
        for (index, words) in &self.choices {
            if words.is_empty() {
                return Err(format!("choice {index} has no reason"));
            }
            // One choice has many places for its word; the reader may prefer another one of them.
            let fine = |word: &String| word.is_empty() || is_success_word(word);
            let many = matches!(
                self.dialect,
                Dialect::OpenAiChat | Dialect::OpenAiCompletions | Dialect::Gemini
            );
            let all = if many { words.iter().all(fine) } else { words.iter().any(fine) };
            if !all {
                return Err(format!("choice {index} ended with {words:?}"));
            }
        }
        Ok(())
    }

    /// A document that is the whole answer.
    fn document(&mut self, body: &[u8]) -> Result<(), String> {
        match json::parse(body) {
            Some(document) => {
                if document.strict {
                    serde_json::from_slice::<serde::de::IgnoredAny>(body)
                        .map_err(|error| format!("serde_json does not read it: {error}"))?;
                }
                // Readers differ in what they make of a wrong escape, also in a name.
                self.unclear |= !document.strict;
                self.event(&document.json)
            }
            // Containers that nobody asks for are checked for balance only.
            None if json::is_shallow(body) => {
                self.unclear = true;
                Ok(())
            }
            None => Err("the body is no document".to_owned()),
        }
    }

    /// Documents one after the other, or a list of them.
    fn documents(&mut self, body: &[u8]) -> Result<(), String> {
        let Some(documents) = json::parse_many(body) else {
            // The last one may be cut behind an answer that was whole.
            self.unclear = true;
            return Ok(());
        };
        for document in documents {
            match document {
                Json::List(items) if self.dialect == Dialect::Gemini => {
                    items.iter().try_for_each(|item| self.event(item))?;
                }
                document => self.event(&document)?,
            }
        }
        Ok(())
    }

    /// The rules of the WHATWG, to the letter. Bare JSON lines are left to the reader.
    fn sse(&mut self, body: &[u8]) -> Result<(), String> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let mut data: Option<Vec<u8>> = None;
        let mut error = false;
        let mut lines = lines(body);
        // The last line has no end, so it is none; but a bare document may need none.
        let last = lines.pop();
        self.unclear |= last.is_some_and(is_bare);
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = line.split_at(colon.unwrap_or(line.len()));
            let value = value.strip_prefix(b":").unwrap_or(value);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match name {
                b"" if line.is_empty() => {
                    if let Some(data) = data.take() {
                        self.data(&data, error)?;
                    }
                    error = false;
                }
                b"data" | b"error" => {
                    error |= name == b"error";
                    match &mut data {
                        None => data = Some(value.to_vec()),
                        Some(data) => {
                            data.push(b'\n');
                            data.extend_from_slice(value);
                        }
                    }
                }
                b"event" => error = value == b"error",
                _ if is_bare(line) && data.is_none() => {
                    self.unclear = true;
                    return Ok(());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn data(&mut self, data: &[u8], error: bool) -> Result<(), String> {
        if data.trim_ascii_end() == b"[DONE]" || data.trim_ascii().is_empty() {
            return Ok(());
        }
        if error {
            return Err("an event is called an error".to_owned());
        }
        self.payload(data)
    }

    fn payload(&mut self, data: &[u8]) -> Result<(), String> {
        match json::parse(data) {
            Some(document) => {
                self.unclear |= !document.strict;
                self.event(&document.json)
            }
            // Ollama's reader takes several documents for one event.
            None if json::is_shallow(data) || self.dialect == Dialect::OllamaNative => {
                self.unclear = true;
                Ok(())
            }
            None => Err(format!("an event is no document: {}", data.escape_ascii())),
        }
    }

    fn frames(&mut self, mut body: &[u8]) -> Result<(), String> {
        while body.len() >= 12 {
            let number = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
            let (total, head) = (number(0) as usize, number(4) as usize);
            if crc32(&body[..8]) != number(8) || total < head.saturating_add(16) {
                return Err("a prelude is wrong".to_owned());
            }
            if body.len() < total {
                return Ok(());
            }
            if crc32(&body[..total - 4]) != number(total - 4) {
                return Err("a checksum is wrong".to_owned());
            }
            let headers = headers(&body[12..12 + head]).ok_or("a header is wrong")?;
            let last = |name: &str| {
                headers.iter().rev().find(|(known, _)| known == name).map(|(_, value)| &value[..])
            };
            if last(":exception-type").is_some() || last(":error-code").is_some() {
                return Err("a frame is an error".to_owned());
            }
            let payload = &body[12 + head..total - 4];
            let opaque = last(":content-type").is_some_and(|value| !value.contains("json"));
            if !opaque && !payload.trim_ascii().is_empty() {
                self.payload(payload)?;
            }
            body = &body[total..];
        }
        Ok(())
    }

    fn event(&mut self, event: &Json) -> Result<(), String> {
        if event.all("error").any(is_error) {
            return Err("an event holds an error".to_owned());
        }
        let kind = match self.dialect {
            Dialect::OpenAiChat | Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings => {
                "object"
            }
            _ => "type",
        };
        let mut kinds = event.all(kind);
        if let (Some(Json::Text(kind)), None) = (kinds.next(), kinds.next()) {
            let gemini = matches!(self.dialect, Dialect::Gemini | Dialect::OllamaNative);
            if kind == "error" && !gemini && self.dialect != Dialect::BedrockConverse {
                return Err("an event calls itself an error".to_owned());
            }
        }
        match self.dialect {
            Dialect::OpenAiChat | Dialect::OpenAiCompletions => self.openai(event),
            Dialect::Gemini => self.gemini(event)?,
            Dialect::AnthropicMessages => {
                self.words(event, &["stop_reason"]);
                self.below(event, &["delta", "message"], &["stop_reason"]);
            }
            Dialect::OpenAiResponses => {
                self.words(event, &["status"]);
                self.below(event, &["response"], &["status"]);
            }
            Dialect::BedrockConverse => self.words(event, &["stopReason"]),
            Dialect::CohereV2 => {
                self.words(event, &["finish_reason"]);
                self.below(event, &["delta"], &["finish_reason"]);
            }
            Dialect::OllamaNative => self.words(event, &["done_reason"]),
            Dialect::BedrockInvoke => self.invoke(event)?,
            _ => {}
        }
        Ok(())
    }

    fn words(&mut self, object: &Json, names: &[&str]) {
        let texts = names.iter().flat_map(|name| object.all(name)).filter_map(Json::as_text);
        for text in texts {
            self.choices.entry(0).or_default().push(text.to_owned());
        }
    }

    fn below(&mut self, object: &Json, names: &[&str], words: &[&str]) {
        names.iter().flat_map(|name| object.all(name)).for_each(|inner| self.words(inner, words));
    }

    fn openai(&mut self, event: &Json) {
        let items = event.all("choices").flat_map(Json::items);
        let items = items.filter(|item| matches!(item, Json::Object(_) | Json::List(_)));
        for (position, item) in items.enumerate() {
            self.choice(item, position as u32, "finish_reason");
        }
    }

    fn choice(&mut self, item: &Json, position: u32, name: &str) {
        let number = |index: &Json| match index {
            Json::Number(number) => number.parse().ok(),
            _ => None,
        };
        let index = item.all("index").filter_map(number).last().unwrap_or(position);
        let word = item.all(name).filter_map(Json::as_text).last();
        self.choices.entry(index).or_default().extend(word.map(str::to_owned));
    }

    fn gemini(&mut self, event: &Json) -> Result<(), String> {
        let blocked = event.all("promptFeedback").flat_map(|feedback| feedback.all("blockReason"));
        if blocked.filter_map(Json::as_text).next().is_some() {
            return Err("the prompt was blocked".to_owned());
        }
        let items = event.all("candidates").flat_map(Json::items);
        for item in items.filter(|item| matches!(item, Json::Object(_) | Json::List(_))) {
            self.choice(item, 0, "finishReason");
        }
        Ok(())
    }

    /// A dozen vendors: any word in any of their places will do.
    fn invoke(&mut self, event: &Json) -> Result<(), String> {
        for bytes in event.all("bytes").filter_map(Json::as_text) {
            match from_base64(bytes).and_then(|inner| json::parse(&inner)) {
                Some(inner) => {
                    self.unclear |= !inner.strict;
                    self.event(&inner.json)?;
                }
                None => self.unclear = true,
            }
        }
        self.anywhere(event);
        Ok(())
    }

    fn anywhere(&mut self, value: &Json) {
        self.words(value, &["stop_reason", "stopReason", "completionReason", "finish_reason"]);
        match value {
            Json::List(items) => items.iter().for_each(|item| self.anywhere(item)),
            Json::Object(members) => members.iter().for_each(|(_, inner)| self.anywhere(inner)),
            _ => {}
        }
    }
}

/// An error that says something; an empty one is a placeholder.
fn is_error(error: &Json) -> bool {
    match error {
        Json::Text(text) => !text.is_empty() && !text.starts_with('{'),
        Json::List(items) => {
            items.iter().any(|item| matches!(item, Json::Object(_)) && is_error(item))
        }
        error => error.all("message").filter_map(Json::as_text).any(|text| !text.is_empty()),
    }
}

fn headers(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    let take = |bytes: &mut &[u8], len: usize| {
        let (part, rest) = bytes.split_at_checked(len)?;
        *bytes = rest;
        Some(part.to_vec())
    };
    while !bytes.is_empty() {
        let len = take(&mut bytes, 1)?[0];
        let name = take(&mut bytes, len.into())?;
        let kind = take(&mut bytes, 1)?[0];
        let len = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            6 | 7 => {
                let len = take(&mut bytes, 2)?;
                usize::from(u16::from_be_bytes([len[0], len[1]]))
            }
            _ => return None,
        };
        let value = take(&mut bytes, len)?;
        if let (7, Ok(name), Ok(value)) = (kind, String::from_utf8(name), String::from_utf8(value))
        {
            headers.push((name, value));
        }
    }
    Some(headers)
}

/// Whether a line is JSON without a field's name.
fn is_bare(line: &[u8]) -> bool {
    line.starts_with(b"{") || line.starts_with(b"[")
}
