//! The inputs: requests and answers as clients and providers write them, the same bytes on every
//! machine.
//!
//! What matters to a reader is kept realistic: how often the text holds an escape (a line break
//! every hundred bytes or so, quotes around words, backslashes in code), some text that is not
//! ASCII, and decoys, where the model itself writes about `finish_reason`.

use std::fmt::Write as _;

/// What every generated answer says it cost.
pub(crate) const PROMPT_TOKENS: u64 = 2006;
pub(crate) const COMPLETION_TOKENS: u64 = 1848;
pub(crate) const CACHED_TOKENS: u64 = 1920;
pub(crate) const REASONING_TOKENS: u64 = 192;

/// What every generated request asks for.
pub(crate) const MODEL: &str = "gpt-5-mini";
pub(crate) const MAX_TOKENS: u64 = 1024;

/// SplitMix64: small, and it gives the same sequence everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(crate) const fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

const WORDS: &[&str] = &[
    "the",
    "a",
    "request",
    "answer",
    "model",
    "of",
    "to",
    "and",
    "in",
    "stream",
    "token",
    "limit",
    "with",
    "is",
    "that",
    "for",
    "server",
    "retry",
    "you",
    "can",
    "should",
    "when",
    "each",
    "latency",
    "provider",
    "header",
    "by",
    "not",
    "response",
    "because",
    "value",
    "which",
    "time",
    "connection",
    "bucket",
    "window",
    "error",
    "however,",
    "first",
    "budget",
    "this",
    "from",
];
const RARE_WORDS: &[&str] =
    &["naïve", "café", "—", "“smart”", "東京", "Größe", "🚀", "≤", "données", "señal"];
const CODE: &[&str] = &[
    "let reply = client.post(url).json(&body).send().await?;",
    "println!(\"{}\\n\", reply.status());",
    "if chunk[\"finish_reason\"] == \"stop\" { break; }",
    "let pattern = Regex::new(r\"^\\d+\\s*$\")?;",
    "{\"usage\": {\"prompt_tokens\": 12}, \"finish_reason\":\"length\"}",
    "    assert_eq!(limits.remaining, 42);",
];

/// One block of Markdown, the way a model writes it.
fn markdown(random: &mut Random, text: &mut String) {
    match random.below(10) {
        0 => text.push_str("## "),
        1 | 2 => text.push_str("- **"),
        3 => {
            text.push_str("```rust\n");
            for _ in 0..2 + random.below(4) {
                let _ = writeln!(text, "{}", random.pick(CODE));
            }
            text.push_str("```\n\n");
            return;
        }
        _ => {}
    }
    for _ in 0..8 + random.below(40) {
        match random.below(60) {
            0 => text.push_str(random.pick(RARE_WORDS)),
            1 => {
                let _ = write!(text, "\"{}\"", random.pick(WORDS));
            }
            2 => {
                let _ = write!(text, "`{}`", random.pick(WORDS));
            }
            _ => text.push_str(random.pick(WORDS)),
        }
        text.push(' ');
    }
    text.push_str("\n\n");
}

/// The text as it stands in JSON, without the quotes around it.
fn escape(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].into()
}

/// Markdown whose JSON form has exactly this many bytes.
fn escaped_markdown(random: &mut Random, bytes: usize) -> String {
    let mut text = String::new();
    while text.len() < bytes {
        markdown(random, &mut text);
    }
    let mut escaped = String::with_capacity(bytes);
    for character in text.chars() {
        let piece = escape(character.encode_utf8(&mut [0; 4]));
        if escaped.len() + piece.len() > bytes {
            break;
        }
        escaped.push_str(&piece);
    }
    escaped.extend(std::iter::repeat_n('.', bytes - escaped.len()));
    escaped
}

fn usage() -> String {
    format!(
        "{{\"prompt_tokens\":{PROMPT_TOKENS},\"completion_tokens\":{COMPLETION_TOKENS},\
         \"total_tokens\":{},\"prompt_tokens_details\":{{\"cached_tokens\":{CACHED_TOKENS},\
         \"audio_tokens\":0}},\"completion_tokens_details\":{{\"reasoning_tokens\":\
         {REASONING_TOKENS},\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\
         \"rejected_prediction_tokens\":0}}}}",
        PROMPT_TOKENS + COMPLETION_TOKENS
    )
}

fn completion_around(content: &str, logprobs: &str) -> Vec<u8> {
    format!(
        "{{\"id\":\"chatcmpl-CkA7x1Qe0bT3mW5rVh2LdPzXyJ8Ns\",\"object\":\"chat.completion\",\
         \"created\":1795176000,\"model\":\"gpt-5-mini-2026-03-11\",\"choices\":[{{\"index\":0,\
         \"message\":{{\"role\":\"assistant\",\"content\":\"{content}\",\"refusal\":null,\
         \"annotations\":[]}},\"logprobs\":{logprobs},\"finish_reason\":\"stop\"}}],\
         \"usage\":{},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\"}}",
        usage()
    )
    .into_bytes()
}

/// OpenAI chat completions of exactly this size, filled by different texts.
pub(crate) fn completions(bytes: usize, count: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(bytes as u64);
    let room = bytes - completion_around("", "null").len();
    (0..count).map(|_| completion_around(&escaped_markdown(&mut random, room), "null")).collect()
}

/// Chat completions of about this size, most of which is `logprobs` with five alternatives each.
pub(crate) fn completions_with_logprobs(bytes: usize, count: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(bytes as u64);
    (0..count).map(|_| completion_with_logprobs(&mut random, bytes)).collect()
}

fn completion_with_logprobs(random: &mut Random, bytes: usize) -> Vec<u8> {
    let mut content = String::new();
    let mut logprobs = String::from("{\"content\":[");
    while logprobs.len() + content.len() < bytes - 1_000 {
        let token = format!(" {}", random.pick(WORDS));
        content.push_str(&token);
        if !logprobs.ends_with('[') {
            logprobs.push(',');
        }
        write_logprob(random, &token, &mut logprobs);
        logprobs.push_str(",\"top_logprobs\":[");
        for rank in 0..5 {
            let other = if rank == 0 { token.clone() } else { format!(" {}", random.pick(WORDS)) };
            logprobs.push_str(if rank == 0 { "" } else { "," });
            write_logprob(random, &other, &mut logprobs);
            logprobs.push('}');
        }
        logprobs.push_str("]}");
    }
    logprobs.push_str("],\"refusal\":null}");
    completion_around(&content, &logprobs)
}

/// All of a token object but its closing brace.
fn write_logprob(random: &mut Random, token: &str, text: &mut String) {
    let _ = write!(
        text,
        "{{\"token\":\"{token}\",\"logprob\":-{}.{:08},\"bytes\":{}",
        random.below(20),
        random.below(100_000_000),
        serde_json::Value::from(token.as_bytes()),
    );
}

/// Chat requests of this many bytes: a model, two settings, and all the rest in one message.
pub(crate) fn chat_requests(bytes: usize, count: usize) -> Vec<Vec<u8>> {
    let around = |content: &str| {
        format!(
            "{{\"model\":\"{MODEL}\",\"stream\":true,\"max_tokens\":{MAX_TOKENS},\
             \"messages\":[{{\"role\":\"user\",\"content\":\"{content}\"}}]}}"
        )
    };
    requests(bytes, count, around)
}

/// Anthropic requests of this many bytes, with a system prompt and a message of parts.
pub(crate) fn messages_requests(bytes: usize, count: usize) -> Vec<Vec<u8>> {
    let around = |content: &str| {
        format!(
            "{{\"model\":\"{MODEL}\",\"max_tokens\":{MAX_TOKENS},\"stream\":true,\
             \"system\":\"Be brief.\",\"messages\":[{{\"role\":\"user\",\"content\":\
             [{{\"type\":\"text\",\"text\":\"{content}\"}}]}}]}}"
        )
    };
    requests(bytes, count, around)
}

/// Gemini requests of this many bytes; model and streaming are in the path.
pub(crate) fn generate_content_requests(bytes: usize, count: usize) -> Vec<Vec<u8>> {
    let around = |content: &str| {
        format!(
            "{{\"contents\":[{{\"role\":\"user\",\"parts\":[{{\"text\":\"{content}\"}}]}}],\
             \"generationConfig\":{{\"maxOutputTokens\":{MAX_TOKENS}}}}}"
        )
    };
    requests(bytes, count, around)
}

fn requests(bytes: usize, count: usize, around: impl Fn(&str) -> String) -> Vec<Vec<u8>> {
    let mut random = Random::new(bytes as u64);
    let room = bytes - around("").len();
    (0..count).map(|_| around(&escaped_markdown(&mut random, room)).into_bytes()).collect()
}

/// An answer sent as server-sent events.
pub(crate) struct Stream {
    pub(crate) bytes: Vec<u8>,
    /// Where each event ends.
    ends: Vec<usize>,
}

/// How a stream arrives.
#[derive(Clone, Copy)]
pub(crate) enum Framing {
    EventPerFrame,
    /// Frames of this many bytes, whatever they cut.
    Fixed(usize),
    /// Frames of 1 to 1,024 bytes.
    Random,
}

impl Stream {
    const fn new() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new() }
    }

    fn event(&mut self, name: Option<&str>, data: &str) {
        if let Some(name) = name {
            self.bytes.extend_from_slice(format!("event: {name}\n").as_bytes());
        }
        self.bytes.extend_from_slice(format!("data: {data}\n\n").as_bytes());
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn events(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn frames(&self, framing: Framing) -> Vec<&[u8]> {
        let mut random = Random::new(7);
        let mut ends = self.ends.iter().copied();
        let mut frames = Vec::new();
        let mut start = 0;
        while start < self.bytes.len() {
            let end = match framing {
                Framing::EventPerFrame => ends.next().unwrap_or(self.bytes.len()),
                Framing::Fixed(bytes) => start + bytes,
                Framing::Random => start + 1 + random.below(1024),
            };
            let end = end.min(self.bytes.len());
            frames.push(&self.bytes[start..end]);
            start = end;
        }
        frames
    }
}

fn chat_chunk(choices: &str, usage: &str, obfuscation: &str) -> String {
    format!(
        "{{\"id\":\"chatcmpl-CkA7x1Qe0bT3mW5rVh2L\",\"object\":\"chat.completion.chunk\",\
         \"created\":1795176000,\"model\":\"gpt-5-mini-2026-03-11\",\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{choices}],\"usage\":{usage}\
         {obfuscation}}}"
    )
}

fn chat_delta(content: &str, obfuscation: &str) -> String {
    let choice = format!(
        "{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}},\"logprobs\":null,\
         \"finish_reason\":null}}"
    );
    chat_chunk(&choice, "null", obfuscation)
}

/// The events of an OpenAI chat stream around the given deltas.
fn chat_around(deltas: impl IntoIterator<Item = String>) -> Stream {
    let mut stream = Stream::new();
    let opening = "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\
                   \"refusal\":null},\"logprobs\":null,\"finish_reason\":null}";
    stream.event(None, &chat_chunk(opening, "null", ""));
    for delta in deltas {
        stream.event(None, &delta);
    }
    let end = "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}";
    stream.event(None, &chat_chunk(end, "null", ""));
    stream.event(None, &chat_chunk("", &usage(), ""));
    stream.event(None, "[DONE]");
    stream
}

/// An OpenAI chat stream with this many deltas, each an event of exactly 300 bytes.
pub(crate) fn chat_stream(deltas: usize) -> Stream {
    let mut random = Random::new(1);
    let room = 300 - "data: \n\n".len() - chat_delta("", "").len();
    chat_around((0..deltas).map(|_| chat_delta(&escaped_markdown(&mut random, room), "")))
}

/// The same with one token a delta and OpenAI's padding against traffic analysis.
pub(crate) fn chat_stream_obfuscated(deltas: usize) -> Stream {
    const LETTERS: &[&str] = &["q", "Z", "0", "x", "K", "7", "m", "T", "b", "4"];
    let mut random = Random::new(2);
    chat_around((0..deltas).map(|_| {
        let padding: String = (0..random.below(48)).map(|_| random.pick(LETTERS)).collect();
        let obfuscation = format!(",\"obfuscation\":\"{padding}\"");
        chat_delta(&format!(" {}", random.pick(WORDS)), &obfuscation)
    }))
}

/// A chat stream whose single delta is an event of this many bytes.
pub(crate) fn chat_stream_with_one_event_of(bytes: usize) -> Stream {
    let room = bytes - "data: \n\n".len() - chat_delta("", "").len();
    chat_around([chat_delta(&escaped_markdown(&mut Random::new(3), room), "")])
}

/// An Anthropic stream with this many text deltas, each a token long.
pub(crate) fn messages_stream(deltas: usize) -> Stream {
    let mut random = Random::new(4);
    let mut stream = Stream::new();
    let fresh = PROMPT_TOKENS - CACHED_TOKENS;
    let start = format!(
        "{{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\
         \"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-5\",\"content\":[],\
         \"stop_reason\":null,\"stop_sequence\":null,\"stop_details\":null,\"usage\":\
         {{\"input_tokens\":{fresh},\"cache_creation_input_tokens\":0,\
         \"cache_read_input_tokens\":{CACHED_TOKENS},\"output_tokens\":1,\
         \"service_tier\":\"standard\"}}}}}}"
    );
    stream.event(Some("message_start"), &start);
    let start = "{\"type\":\"content_block_start\",\"index\":0,\
                 \"content_block\":{\"type\":\"text\",\"text\":\"\"}}";
    stream.event(Some("content_block_start"), start);
    stream.event(Some("ping"), "{\"type\":\"ping\"}");
    for _ in 0..deltas {
        let length = 4 + random.below(12);
        let text = escaped_markdown(&mut random, length);
        let delta = format!(
            "{{\"type\":\"content_block_delta\",\"index\":0,\
             \"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}"
        );
        stream.event(Some("content_block_delta"), &delta);
    }
    stream.event(Some("content_block_stop"), "{\"type\":\"content_block_stop\",\"index\":0}");
    let delta = format!(
        "{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\",\
         \"stop_sequence\":null,\"stop_details\":null}},\
         \"usage\":{{\"output_tokens\":{COMPLETION_TOKENS}}}}}"
    );
    stream.event(Some("message_delta"), &delta);
    stream.event(Some("message_stop"), "{\"type\":\"message_stop\"}");
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_and_bodies_are_json() {
        for bytes in [1_000, 10_000, 100_000] {
            for body in completions(bytes, 3) {
                assert_eq!(body.len(), bytes);
                assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
            }
        }
        for request in [chat_requests, messages_requests, generate_content_requests] {
            let body = &request(1_000, 1)[0];
            assert_eq!(body.len(), 1_000);
            assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok());
        }
        let body = &completions_with_logprobs(100_000, 1)[0];
        assert!(body.len().abs_diff(100_000) < 2_000, "{}", body.len());
        assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok());
    }

    #[test]
    fn framings_cut_differently_and_lose_nothing() {
        let stream = chat_stream(20);
        for framing in [Framing::EventPerFrame, Framing::Fixed(512), Framing::Random] {
            assert_eq!(stream.frames(framing).concat(), stream.bytes);
        }
        let frames = stream.frames(Framing::EventPerFrame);
        assert_eq!(frames.len(), stream.events());
        assert!(frames[1..21].iter().all(|frame| frame.len() == 300));
    }

    #[test]
    fn the_same_bytes_every_time() {
        assert_eq!(completions(10_000, 2), completions(10_000, 2));
        assert_eq!(chat_stream_obfuscated(10).bytes, chat_stream_obfuscated(10).bytes);
    }
}
