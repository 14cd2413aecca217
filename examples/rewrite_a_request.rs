//! Send the same request to another model, with a smaller budget, and change nothing else.
//!
//! `cargo run -p examples --bin rewrite-a-request`

use battlement_core::{
    Dialect, Provider,
    request::{Facts, rewrite::Edit},
};
use http::{HeaderMap, Method, Uri};

/// Written by a person: odd spacing, a field we do not know, a number spelled their way.
const BODY: &str = r#"{ "model":"gpt-5",  "temperature": 1.0e0, "x_team": {"model": "not this one"},
  "messages": [{"role": "user", "content": "Why is the sky blue?"}], "max_tokens": 4096 }"#;

fn main() {
    let uri = Uri::from_static("https://api.groq.com/openai/v1/chat/completions");
    let facts = Facts::read(&Method::POST, &uri, &HeaderMap::new(), BODY.as_bytes());
    println!("{facts:#?}");
    assert_eq!(facts.dialect, Some(Dialect::OpenAiChat));
    assert_eq!(facts.model.as_deref(), Some("gpt-5"));
    assert_eq!(facts.max_output_tokens, Some(4096));

    let edit = Edit {
        model: Some("llama-3.3-70b-versatile"),
        max_output_tokens: Some(512),
        ..Edit::default()
    };
    let rewritten = edit
        .apply(Dialect::OpenAiChat, Provider::Groq, BODY.as_bytes())
        .expect("the body is a JSON object");
    let rewritten = std::str::from_utf8(&rewritten).expect("it was text before");
    println!("{rewritten}");
    let expected =
        BODY.replace(r#""gpt-5""#, r#""llama-3.3-70b-versatile""#).replace("4096", "512");
    assert_eq!(rewritten, expected);
}
