//! What core writes in place of a provider, and reads out of an answer, next to the answers of this crate.
//!
//! Both know the providers' forms, and neither knows of the other: a member that only one of them has is a
//! mistake in one of them.

use std::collections::BTreeSet;

use battlement_core::{
    Code, Dialect, repair,
    write::{self, ErrorBody, Form, Text},
};
use battlement_sim::answer::{Asked, Fault, Reply, error_event, fault, reply};
use serde_json::Value;

const TALKERS: [Dialect; 9] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiCompletions,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::BedrockConverse,
    Dialect::BedrockInvoke,
    Dialect::CohereV2,
    Dialect::OllamaNative,
];

const SAID: &str = "A \"word\",\nand another.";

fn asked(dialect: Dialect, form: Form) -> Asked {
    let mut asked = Asked::new(dialect);
    asked.stream = form != Form::Document;
    asked.array = form == Form::Array && dialect == Dialect::Gemini;
    asked
}

/// The members of every JSON text in a body, by their paths; and the names of its events.
fn members(kind: &str, body: &[u8]) -> (BTreeSet<String>, Vec<String>) {
    let body = String::from_utf8_lossy(body);
    let (mut found, mut names) = (BTreeSet::new(), Vec::new());
    let mut add = |text: &str| {
        if let Ok(json) = serde_json::from_str::<Value>(text) {
            walk(&json, "", &mut found);
        }
    };
    if kind.starts_with("text/event-stream") || kind.starts_with("application/x-ndjson") {
        for line in body.lines() {
            add(line.strip_prefix("data: ").unwrap_or(line));
            if let Some(name) = line.strip_prefix("event: ") {
                if names.last().is_none_or(|last| last != name) && name != "ping" {
                    names.push(name.to_owned());
                }
            }
        }
    } else {
        add(&body);
    }
    (found, names)
}

fn walk(json: &Value, path: &str, found: &mut BTreeSet<String>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{path}/{name}");
                walk(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, found)),
        _ => {}
    }
}

#[test]
fn answers_have_the_members_and_the_events_of_a_providers() {
    for dialect in TALKERS {
        for form in [Form::Document, Form::Events, Form::Array] {
            let asked = asked(dialect, form);
            let theirs = reply(&asked, &Reply::default().text(SAID));
            let text = Text::new(SAID).model(&asked.model).form(form);
            let ours = write::answer(dialect, &text).unwrap();
            let kind = theirs.headers["content-type"].to_str().unwrap();
            assert!(kind.starts_with(ours.content_type()), "{dialect} {form:?}: {kind}");
            let theirs: Vec<u8> = theirs.content.pieces().concat();
            let (theirs, their_names) = members(kind, &theirs);
            let (ours, our_names) = members(kind, &ours.body());
            let own: Vec<_> = ours.difference(&theirs).collect();
            // Left out by some versions of the API, and harmless.
            let known = ["/top_p", "/response/top_p", "/logprobs"];
            let own: Vec<_> = own.iter().filter(|own| !known.contains(&own.as_str())).collect();
            assert!(own.is_empty(), "{dialect} {form:?} has {own:?}");
            assert_eq!(our_names, their_names, "{dialect} {form:?}");
        }
    }
}

#[test]
fn errors_have_the_members_of_a_providers() {
    for dialect in TALKERS {
        for (code, theirs) in [
            (Code::Overloaded, Fault::Overloaded),
            (Code::InvalidKey, Fault::InvalidKey),
            (Code::InvalidRequest, Fault::InvalidRequest),
            (Code::ModelUnavailable, Fault::ModelNotFound),
        ] {
            let asked = asked(dialect, Form::Document);
            let theirs_whole = fault(&asked, theirs, None);
            let ours = write::error(dialect, &ErrorBody::new(code, "no").request_id("7"));
            assert_eq!(theirs_whole.status, ours.status, "{dialect} {code}");
            let json = "application/json";
            let (theirs_whole, _) = members(json, &theirs_whole.content.pieces().concat());
            let (ours, _) = members(json, &ours.body());
            // What tells our own code has a place of theirs, though not for every error.
            let is_told = |path: &&String| !path.contains("/details");
            let own: Vec<_> = ours.difference(&theirs_whole).filter(is_told).collect();
            assert!(own.is_empty(), "{dialect} {code} has {own:?}");
            let missing: Vec<_> = theirs_whole.difference(&ours).filter(is_told).collect();
            assert!(missing.is_empty(), "{dialect} {code} lacks {missing:?}");

            let asked = self::asked(dialect, Form::Events);
            let event = write::error_event(dialect, &ErrorBody::new(code, "no").form(Form::Events));
            let kind = Form::Events.content_type(dialect);
            let (theirs, their_names) = members(kind, &error_event(&asked, theirs));
            let (ours, our_names) = members(kind, &event);
            assert_eq!(our_names, their_names, "{dialect} {code}");
            let missing: Vec<_> = theirs.difference(&ours).filter(is_told).collect();
            assert!(missing.is_empty(), "{dialect} {code} lacks {missing:?}");
        }
    }
}

#[test]
fn what_a_provider_says_is_found_in_it() {
    let arguments = r#"{"city":"Weimar","at":[1,2]}"#;
    for dialect in TALKERS {
        if dialect == Dialect::OpenAiCompletions {
            continue;
        }
        for form in [Form::Document, Form::Events, Form::Array] {
            let asked = asked(dialect, form);
            let check = |reply_: &Reply, text: &str, calls: &[(&str, &str)]| {
                let answer = reply(&asked, reply_);
                let kind = answer.headers["content-type"].to_str().unwrap();
                let body = answer.content.pieces().concat();
                let said = repair::said(dialect, kind, &body).unwrap();
                let [choice] = said.choices() else { panic!("{dialect} {form:?}: {said:?}") };
                assert_eq!(choice.text, text, "{dialect} {form:?}");
                let found: Vec<_> =
                    choice.calls.iter().map(|call| (&*call.name, &*call.arguments)).collect();
                assert_eq!(found, calls, "{dialect} {form:?}");
            };
            check(&Reply::default().text(SAID), SAID, &[]);
            let call = Reply::default().text("").tool("look", arguments);
            check(&call, "", &[("look", arguments)]);
        }
    }
}
