//! Answers whose meaning is known because they are made from it.
//!
//! Each dialect has a script of events, written down from the wire facts and not from the tables
//! of the reader. Every event has effects; the effects of those that were sent are the truth that a
//! verdict has to tell.

use super::{
    entropy::Entropy,
    framing::{Framing, base64},
    json::Json,
    mutate::mutate,
};
use battlement_core::Dialect;

/// One event as it travels.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name, where the framing has a place for names.
    pub name: Option<&'static str>,
    pub body: Json,
    pub is_exception: bool,
    effects: Vec<Effect>,
}

#[derive(Clone, Copy, Debug)]
enum Effect {
    /// The choice exists.
    Choice(u32),
    Output,
    Finish(u32, &'static str),
    Usage(u64, u64),
    Error,
    End,
}

use Effect::{Choice, End, Error, Finish, Output, Usage};

/// What an answer means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// Every choice, by index, with its reason once it has one.
    pub finishes: Vec<(u32, Option<&'static str>)>,
    pub output: bool,
    pub usage: Option<(u64, u64)>,
    pub error: bool,
    /// The stream said that it was over.
    pub ended: bool,
}

/// An answer: its bytes and what they mean.
#[derive(Clone, Debug)]
pub struct Answer {
    pub framing: Framing,
    pub body: Vec<u8>,
    pub truth: Truth,
}

/// Makes an answer in a framing that the dialect uses.
pub fn answer(dialect: Dialect, framing: Framing, entropy: &mut Entropy<'_>) -> Answer {
    let events = if framing == Framing::Json {
        vec![document(dialect, entropy)]
    } else {
        stream(dialect, framing, entropy)
    };
    let cut = framing.is_stream() && entropy.one_in(4);
    let sent = if cut { entropy.below(events.len()) } else { events.len() };
    let mut truth = Truth::default();
    for effect in events[..sent].iter().flat_map(|event| &event.effects) {
        truth.add(*effect);
    }
    let whole = sent == events.len();
    truth.ended |= whole && framing == Framing::JsonArray;
    let body = framing.write(&events[..sent], whole, entropy);
    Answer { framing, body, truth }
}

/// Makes an answer and damages it. Behind checksums, where damage done to the bytes would not come
/// far, it is done to the events.
pub fn damaged(dialect: Dialect, framing: Framing, entropy: &mut Entropy<'_>) -> Vec<u8> {
    if framing != Framing::EventStream {
        let mut body = answer(dialect, framing, entropy).body;
        mutate(&mut body, entropy);
        return body;
    }
    let mut events = stream(dialect, framing, entropy);
    for event in &mut events {
        let mut body = Framing::Json.write(std::slice::from_ref(event), true, entropy);
        let embedded = dialect == Dialect::BedrockInvoke;
        if entropy.one_in(3) {
            mutate(&mut body, entropy);
        }
        if embedded && entropy.one_in(4) {
            let mut text = base64(&body).into_bytes();
            if entropy.one_in(2) {
                mutate(&mut text, entropy);
            }
            let text = String::from_utf8_lossy(&text);
            body = format!("{{\"bytes\":\"{text}\"}}").into_bytes();
        }
        event.body = Json::Raw(body);
    }
    framing.write(&events, true, entropy)
}

/// The framings of a dialect's answers.
pub fn framings(dialect: Dialect) -> &'static [Framing] {
    match dialect {
        Dialect::OpenAiEmbeddings => &[Framing::Json],
        Dialect::Gemini => &[Framing::Sse, Framing::JsonArray, Framing::Json],
        Dialect::OllamaNative => &[Framing::Ndjson, Framing::Json],
        Dialect::BedrockConverse | Dialect::BedrockInvoke => &[Framing::EventStream, Framing::Json],
        _ => &[Framing::Sse, Framing::Json],
    }
}

impl Truth {
    fn add(&mut self, effect: Effect) {
        match effect {
            Choice(index) => {
                if let Err(at) = self.finishes.binary_search_by_key(&index, |(index, _)| *index) {
                    self.finishes.insert(at, (index, None));
                }
            }
            Output => self.output = true,
            Finish(index, reason) => {
                self.add(Choice(index));
                let at = self.finishes.binary_search_by_key(&index, |(index, _)| *index);
                self.finishes[at.unwrap()].1 = Some(reason);
            }
            Usage(input, output) => self.usage = Some((input, output)),
            Error => self.error = true,
            End => self.ended = true,
        }
    }
}

fn event(name: &'static str, body: Json, effects: &[Effect]) -> Event {
    Event { name: Some(name), body, is_exception: false, effects: effects.to_vec() }
}

fn bare(body: Json, effects: &[Effect]) -> Event {
    Event { name: None, body, is_exception: false, effects: effects.to_vec() }
}

/// Words of the model that look like what they are not.
const WORDS: [&str; 8] = [
    "Paris",
    "\",\"finish_reason\":\"length\"}",
    "data: [DONE]\n\n",
    "\\\"}]}\r\n\r\nevent: error\ndata: {}",
    "{\"error\":{\"message\":\"no\"}}",
    "\u{1f600} \u{0} \\u0022",
    "[{\"stop_reason\":\"refusal\"",
    " ",
];

const REASONS: [&str; 8] = [
    "stop",
    "end_turn",
    "length",
    "max_tokens",
    "tool_use",
    "content_filter",
    "unheard_of",
    "STOP",
];

fn word(entropy: &mut Entropy<'_>) -> Json {
    let word = entropy.pick(&WORDS);
    Json::text(&word.repeat(1 + entropy.below(2) * entropy.below(9)))
}

fn counts(entropy: &mut Entropy<'_>) -> (u64, u64) {
    (entropy.below(70_000) as u64, entropy.below(300) as u64)
}

fn usage(names: [&str; 2], counts: (u64, u64)) -> Json {
    Json::object([(names[0], Json::number(counts.0)), (names[1], Json::number(counts.1))])
}

fn error_body() -> Json {
    let error =
        Json::object([("type", Json::text("api_error")), ("message", Json::text("broken"))]);
    Json::object([("error", error)])
}

const OPENAI: [&str; 2] = ["prompt_tokens", "completion_tokens"];
const ANTHROPIC: [&str; 2] = ["input_tokens", "output_tokens"];
const GEMINI: [&str; 2] = ["promptTokenCount", "candidatesTokenCount"];
const CONVERSE: [&str; 2] = ["inputTokens", "outputTokens"];

fn stream(dialect: Dialect, framing: Framing, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let texts = 1 + entropy.below(4);
    let mut events = match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiCompletions => openai(dialect, texts, entropy),
        Dialect::OpenAiResponses => responses(texts, entropy),
        Dialect::AnthropicMessages => anthropic(texts, entropy),
        Dialect::Gemini => gemini(texts, entropy),
        Dialect::BedrockConverse => converse(texts, entropy),
        Dialect::BedrockInvoke => invoke(texts, entropy),
        Dialect::CohereV2 => cohere(texts, entropy),
        Dialect::OllamaNative => ollama(texts, entropy),
        _ => vec![document(dialect, entropy)],
    };
    if entropy.one_in(6) {
        let mut error = bare(error_body(), &[Error]);
        if matches!(dialect, Dialect::AnthropicMessages | Dialect::OpenAiResponses) {
            error.name = Some("error");
        }
        if framing == Framing::EventStream {
            error.name = Some("throttlingException");
            error.is_exception = true;
            error.body = Json::object([("message", Json::text("broken"))]);
        }
        events.insert(entropy.below(events.len() + 1), error);
    }
    events
}

fn openai(dialect: Dialect, texts: usize, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let chat = dialect == Dialect::OpenAiChat;
    let many = entropy.pick(&[1, 1, 2, 3, 12]);
    let chunk = |choices| {
        Json::object([
            ("object", Json::text("chat.completion.chunk")),
            ("choices", Json::List(choices)),
        ])
    };
    let choice = |index: u32, text: Option<Json>, reason: Json| {
        let content = text.map(|text| if chat { Json::object([("content", text)]) } else { text });
        let empty = if chat { Json::object([]) } else { Json::text("") };
        Json::object([
            ("index", Json::number(index)),
            (if chat { "delta" } else { "text" }, content.unwrap_or(empty)),
            ("finish_reason", reason),
        ])
    };
    let mut events = Vec::new();
    for _ in 0..texts {
        let index = entropy.below(many) as u32;
        let choices = vec![choice(index, Some(word(entropy)), Json::Null)];
        events.push(bare(chunk(choices), &[Choice(index), Output]));
    }
    for index in 0..many as u32 {
        let reason = entropy.pick(&REASONS);
        let finish = choice(index, None, Json::text(reason));
        events.push(bare(chunk(vec![finish]), &[Finish(index, reason)]));
    }
    if entropy.one_in(2) {
        let counts = counts(entropy);
        let mut last = chunk(Vec::new());
        if let Json::Object(members) = &mut last {
            members.push(("usage".to_owned(), usage(OPENAI, counts)));
        }
        events.push(bare(last, &[Usage(counts.0, counts.1)]));
    }
    events.push(bare(Json::Raw(b"[DONE]".to_vec()), &[End]));
    events
}

fn responses(texts: usize, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let typed = |name: &'static str, member: &str, value: Json, effects: &[Effect]| {
        event(name, Json::object([("type", Json::text(name)), (member, value)]), effects)
    };
    let begun =
        Json::object([("object", Json::text("response")), ("status", Json::text("in_progress"))]);
    let mut events = vec![typed("response.created", "response", begun, &[])];
    for _ in 0..texts {
        events.push(typed("response.output_text.delta", "delta", word(entropy), &[Output]));
    }
    let counts = counts(entropy);
    let tokens = usage(ANTHROPIC, counts);
    let told = Usage(counts.0, counts.1);
    events.push(if entropy.one_in(2) {
        let why = Json::object([("reason", Json::text("max_output_tokens"))]);
        let response = Json::object([
            ("status", Json::text("incomplete")),
            ("incomplete_details", why),
            ("usage", tokens),
        ]);
        let effects = [Finish(0, "max_output_tokens"), End, told];
        typed("response.incomplete", "response", response, &effects)
    } else {
        let response = Json::object([("status", Json::text("completed")), ("usage", tokens)]);
        typed("response.completed", "response", response, &[Finish(0, "completed"), End, told])
    });
    events
}

fn anthropic(texts: usize, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let typed = |name: &'static str, members: Vec<(&str, Json)>, effects: &[Effect]| {
        let mut all = vec![("type".to_owned(), Json::text(name))];
        all.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
        event(name, Json::Object(all), effects)
    };
    let (input, output) = counts(entropy);
    let message =
        Json::object([("stop_reason", Json::Null), ("usage", usage(ANTHROPIC, (input, 1)))]);
    let mut events = vec![typed("message_start", vec![("message", message)], &[Usage(input, 1)])];
    for _ in 0..texts {
        if entropy.one_in(3) {
            events.push(typed("ping", Vec::new(), &[]));
        }
        let delta = Json::object([("type", Json::text("text_delta")), ("text", word(entropy))]);
        events.push(typed("content_block_delta", vec![("delta", delta)], &[Output]));
    }
    let reason = entropy.pick(&REASONS);
    let delta = Json::object([("stop_reason", Json::text(reason))]);
    let tokens = Json::object([("output_tokens", Json::number(output))]);
    let effects = [Finish(0, reason), Usage(input, output)];
    events.push(typed("message_delta", vec![("delta", delta), ("usage", tokens)], &effects));
    events.push(typed("message_stop", Vec::new(), &[End]));
    events
}

fn gemini(texts: usize, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let chunk = |candidates, counts| {
        Json::object([
            ("candidates", Json::List(candidates)),
            ("usageMetadata", usage(GEMINI, counts)),
        ])
    };
    let candidate = |index: u32, text: Json, reason: Option<&str>| {
        let parts = Json::List(vec![Json::object([("text", text)])]);
        let mut members = vec![("content".to_owned(), Json::object([("parts", parts)]))];
        members.extend(reason.map(|reason| ("finishReason".to_owned(), Json::text(reason))));
        // Protobuf leaves zero out.
        members.extend((index > 0).then(|| ("index".to_owned(), Json::number(index))));
        Json::Object(members)
    };
    let many = entropy.pick(&[1, 1, 2]);
    let counts = counts(entropy);
    let told = Usage(counts.0, counts.1);
    let mut events = Vec::new();
    for _ in 0..texts {
        let index = entropy.below(many) as u32;
        let candidates = vec![candidate(index, word(entropy), None)];
        events.push(bare(chunk(candidates, counts), &[Choice(index), Output, told]));
    }
    for index in 0..many as u32 {
        let reason = entropy.pick(&["STOP", "MAX_TOKENS", "SAFETY", "OTHER"]);
        let candidates = vec![candidate(index, word(entropy), Some(reason))];
        events.push(bare(chunk(candidates, counts), &[Finish(index, reason), Output, told]));
    }
    events
}

fn converse(texts: usize, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let mut events =
        vec![event("messageStart", Json::object([("role", Json::text("assistant"))]), &[])];
    for _ in 0..texts {
        let delta = Json::object([("text", word(entropy))]);
        let body = Json::object([("contentBlockIndex", Json::number(0)), ("delta", delta)]);
        events.push(event("contentBlockDelta", body, &[Output]));
    }
    let reason = entropy.pick(&REASONS);
    let stop = Json::object([("stopReason", Json::text(reason))]);
    events.push(event("messageStop", stop, &[Finish(0, reason)]));
    let counts = counts(entropy);
    let metadata = Json::object([("usage", usage(CONVERSE, counts))]);
    events.push(event("metadata", metadata, &[Usage(counts.0, counts.1), End]));
    events
}

/// Anthropic's events as base64.
fn invoke(texts: usize, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let mut events = anthropic(texts, entropy);
    for event in &mut events {
        let inner = Framing::Json.write(std::slice::from_ref(event), true, entropy);
        // Of all escapes, only that of the slash is ever seen in base64.
        let slash = entropy.pick(&["/", "\\/"]);
        let text = Json::Raw(format!("\"{}\"", base64(&inner).replace('/', slash)).into_bytes());
        event.name = Some("chunk");
        event.body = Json::object([("bytes", text), ("p", Json::text("abcd"))]);
    }
    events
}

fn cohere(texts: usize, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let typed = |name: &'static str, delta: Json, effects: &[Effect]| {
        event(name, Json::object([("type", Json::text(name)), ("delta", delta)]), effects)
    };
    let mut events = Vec::new();
    for _ in 0..texts {
        let content = Json::object([("text", word(entropy))]);
        let message = Json::object([("content", content)]);
        events.push(typed("content-delta", Json::object([("message", message)]), &[Output]));
    }
    let reason = entropy.pick(&REASONS);
    let counts = counts(entropy);
    let tokens = Json::object([("tokens", usage(ANTHROPIC, counts))]);
    let delta = Json::object([("finish_reason", Json::text(reason)), ("usage", tokens)]);
    let effects = [Finish(0, reason), Usage(counts.0, counts.1), End];
    events.push(typed("message-end", delta, &effects));
    events
}

fn ollama(texts: usize, entropy: &mut Entropy<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..texts {
        let message = Json::object([("content", word(entropy))]);
        let body = Json::object([("message", message), ("done", Json::Bool(false))]);
        events.push(bare(body, &[Output]));
    }
    let Event { body, effects, .. } = document(Dialect::OllamaNative, entropy);
    events.push(bare(body, &effects));
    events
}

/// An answer that is not streamed.
fn document(dialect: Dialect, entropy: &mut Entropy<'_>) -> Event {
    let text = word(entropy);
    let reason = entropy.pick(&REASONS);
    let counts = counts(entropy);
    let part = Json::object([("type", Json::text("text")), ("text", text.clone())]);
    let content = |name: &str, parts: Vec<Json>| Json::object([(name, Json::List(parts))]);
    let mut effects = vec![Finish(0, reason), Output, Usage(counts.0, counts.1)];
    let body = match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiCompletions => {
            let many = entropy.pick(&[1, 1, 2, 5]);
            let mut choices = Vec::new();
            for index in 0..many {
                let reason = entropy.pick(&REASONS);
                effects.push(Finish(index, reason));
                let message = Json::object([("content", text.clone())]);
                choices.push(Json::object([
                    ("index", Json::number(index)),
                    ("message", message),
                    ("finish_reason", Json::text(reason)),
                ]));
            }
            Json::object([("choices", Json::List(choices)), ("usage", usage(OPENAI, counts))])
        }
        Dialect::OpenAiEmbeddings => {
            effects = vec![Usage(counts.0, counts.1)];
            let vector = Json::List(vec![Json::number("-0.125e-3"); 3]);
            let data = Json::List(vec![Json::object([("embedding", vector)])]);
            Json::object([
                ("object", Json::text("list")),
                ("data", data),
                ("usage", usage(OPENAI, counts)),
            ])
        }
        Dialect::OpenAiResponses => {
            effects = vec![Finish(0, "completed"), Output, Usage(counts.0, counts.1)];
            let mut item = content("content", vec![part]);
            if let Json::Object(members) = &mut item {
                members.push(("type".to_owned(), Json::text("message")));
            }
            Json::object([
                ("object", Json::text("response")),
                ("status", Json::text("completed")),
                ("output", Json::List(vec![item])),
                ("usage", usage(ANTHROPIC, counts)),
            ])
        }
        Dialect::Gemini => {
            let mut candidate = Json::object([("content", content("parts", vec![part]))]);
            if let Json::Object(members) = &mut candidate {
                members.push(("finishReason".to_owned(), Json::text(reason)));
            }
            Json::object([
                ("candidates", Json::List(vec![candidate])),
                ("usageMetadata", usage(GEMINI, counts)),
            ])
        }
        Dialect::BedrockConverse => {
            let message = Json::object([("message", content("content", vec![part]))]);
            Json::object([
                ("output", message),
                ("stopReason", Json::text(reason)),
                ("usage", usage(CONVERSE, counts)),
            ])
        }
        Dialect::CohereV2 => Json::object([
            ("message", content("content", vec![part])),
            ("finish_reason", Json::text(reason)),
            ("usage", Json::object([("tokens", usage(ANTHROPIC, counts))])),
        ]),
        Dialect::OllamaNative => {
            effects.push(End);
            Json::object([
                ("message", Json::object([("content", text)])),
                ("done", Json::Bool(true)),
                ("done_reason", Json::text(reason)),
                ("prompt_eval_count", Json::number(counts.0)),
                ("eval_count", Json::number(counts.1)),
            ])
        }
        _ => Json::object([
            ("type", Json::text("message")),
            ("content", Json::List(vec![part])),
            ("stop_reason", Json::text(reason)),
            ("usage", usage(ANTHROPIC, counts)),
        ]),
    };
    bare(body, &effects)
}
