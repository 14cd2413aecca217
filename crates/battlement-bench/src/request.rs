//! Reading requests: what the layers must know about a call before it is sent.
//!
//! Everybody is asked for model, streaming and output cap. Ours also says who speaks which dialect,
//! estimates the prompt's tokens, and looks for tools, media, schemas and state, all of which the
//! layers need: a peer that is faster knows less.

use std::{borrow::Cow, hint::black_box};

use battlement_core::request;
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Bench, data,
    harness::{Role, Scenario, Unit, Work},
    report::Goal,
};

/// Bytes of different bodies that one run goes through, so that no branch predictor knows them by
/// heart, and the most bodies: a small one is in a near cache when a layer reads it.
const POOL: usize = 4_000_000;
const MOST: usize = 256;

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const GATEWAY: &str = "http://gateway.internal:8080/v1/chat/completions";
const MESSAGES: &str = "https://api.anthropic.com/v1/messages";
const GENERATE_CONTENT: &str = "https://generativelanguage.googleapis.com/v1beta/models/gpt-5-mini:streamGenerateContent?alt=sse";

type Bodies = fn(usize, usize) -> Vec<Vec<u8>>;

/// Id, title, bytes, address, bodies, and what we are meant to reach.
type Row = (&'static str, &'static str, usize, &'static str, Bodies, &'static [Goal]);

const ROWS: [Row; 6] = [
    ("chat-small", "a small chat request", 120, CHAT, data::chat_requests, SHORT),
    (
        "chat-small-gateway",
        "a small chat request to a host nobody knows",
        120,
        GATEWAY,
        data::chat_requests,
        SHORT,
    ),
    ("chat-10KB", "a chat request of 10KB", 10_000, CHAT, data::chat_requests, FAST),
    ("chat-100KB", "a chat request of 100KB", 100_000, CHAT, data::chat_requests, FAST),
    ("anthropic-1KB", "an Anthropic request of 1KB", 1_000, MESSAGES, data::messages_requests, &[]),
    (
        "gemini-1KB",
        "a Gemini request of 1KB",
        1_000,
        GENERATE_CONTENT,
        data::generate_content_requests,
        &[],
    ),
];
const SHORT: &[Goal] = &[Goal::Nanos(250.0)];
const FAST: &[Goal] = &[Goal::Throughput(1.5)];

pub(crate) fn run(bench: &mut Bench) {
    for (id, title, bytes, address, bodies, goals) in ROWS {
        let id = format!("request/{id}");
        if bench.wants(&id) {
            let bodies = bodies(bytes, (POOL / bytes).min(MOST));
            let scenario = scenario(id, title, address, &bodies);
            // The one allocation is the model's name.
            let goals = goals.iter().copied().chain([Goal::Allocations(1.0)]);
            bench.measure(scenario.goals(goals));
        }
    }
}

/// What everybody is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    /// It is [`data::MODEL`].
    model: bool,
    stream: bool,
    max_tokens: Option<u64>,
}

impl Asked {
    fn new(model: Option<&str>, stream: bool, max_tokens: Option<u64>) -> Self {
        Self { model: model == Some(data::MODEL), stream, max_tokens }
    }
}

fn scenario<'a>(
    id: String,
    title: &str,
    address: &'static str,
    bodies: &'a [Vec<u8>],
) -> Scenario<'a, [Vec<u8>]> {
    let uri = Uri::from_static(address);
    let path = uri.path().to_owned();
    let path_of_typed = path.clone();
    let headers: HeaderMap = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (AUTHORIZATION, HeaderValue::from_static("Bearer sk-0123456789abcdef")),
        (ACCEPT, HeaderValue::from_static("*/*")),
    ]
    .into_iter()
    .collect();
    let ours = move |body: &[u8]| {
        let facts = request::Facts::read(&Method::POST, black_box(&uri), &headers, body);
        Asked::new(facts.model.as_deref(), facts.stream, facts.max_output_tokens)
    };
    let asked = Asked { model: true, stream: true, max_tokens: Some(data::MAX_TOKENS) };
    let bytes = bodies.iter().map(Vec::len).sum();
    let work = Work { bytes, unit: Unit::Request, units: bodies.len() };
    Scenario::new(id, title, work, bodies)
        .contender("battlement", Role::Ours, &asked, each(ours))
        .contender(
            "serde_json typed, three fields",
            Role::Peer,
            &asked,
            each(move |body| typed(&path_of_typed, body)),
        )
        .contender("serde_json::Value", Role::Peer, &asked, each(move |body| value(&path, body)))
}

/// The struct people write when they need no more.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    max_tokens: Option<u64>,
    #[serde(rename = "generationConfig")]
    config: Option<Config>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    max_output_tokens: Option<u64>,
}

fn typed(path: &str, body: &[u8]) -> Asked {
    let typed: Typed<'_> = serde_json::from_slice(body).expect("a request");
    let in_path = model_in(path);
    let cap = typed.config.and_then(|config| config.max_output_tokens);
    Asked::new(
        in_path.or(typed.model.as_deref()),
        in_path.is_some() || typed.stream.unwrap_or(false),
        typed.max_tokens.or(cap),
    )
}

fn value(path: &str, body: &[u8]) -> Asked {
    let value: Value = serde_json::from_slice(body).expect("a request");
    let in_path = model_in(path);
    Asked::new(
        in_path.or(value["model"].as_str()),
        in_path.is_some() || value["stream"].as_bool().unwrap_or(false),
        value["max_tokens"].as_u64().or(value["generationConfig"]["maxOutputTokens"].as_u64()),
    )
}

/// Gemini's model.
fn model_in(path: &str) -> Option<&str> {
    path.strip_suffix(":streamGenerateContent")?.rsplit('/').next()
}

/// Reads every body, and gives what they all say, or the first that differs.
fn each(read: impl Fn(&[u8]) -> Asked) -> impl Fn(&[Vec<u8>]) -> Asked {
    move |bodies| {
        let mut answers = bodies.iter().map(|body| black_box(read(black_box(body))));
        let first = answers.next().expect("a body");
        answers.find(|answer| *answer != first).unwrap_or(first)
    }
}
