//! Whether an answer is what the request wants, and what is wrong with it if not.

use std::fmt::Write as _;

use battlement_core::{
    Code, Dialect,
    repair::{self, Choice, Tool, Wanted},
};
use serde_json::Value;

use super::schema::{Rule, Schemas};

/// What became of an answer that was looked at.
pub(super) enum Checked {
    /// It is as it should be.
    Fine,
    /// It is as it should be with what is around the JSON left out; this is the body then.
    Cleaned(Vec<u8>),
    /// Nothing can be said about it, for this reason.
    Unknown(&'static str),
    /// It is not.
    Wrong(Complaint),
}

/// What is wrong with an answer.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    /// What the model has said, for the model.
    pub(super) answer: String,
    /// What is wrong, for the model.
    pub(super) lines: Vec<String>,
    /// Where in the schemas it says so: nothing of the answer.
    pub(super) places: Vec<String>,
    /// How much is wrong, beyond what is told.
    pub(super) errors: usize,
    /// Whether it is about calls of tools.
    pub(super) of_calls: bool,
}

/// More than this helps no model.
const MOST_LINES: usize = 10;
const MOST_OF_A_LINE: usize = 300;
/// Of an answer; what is behind it is mostly more of the same.
const MOST_OF_AN_ANSWER: usize = 16 * 1024;

impl Complaint {
    pub(super) fn code(&self) -> Code {
        if self.of_calls { Code::MalformedToolCall } else { Code::SchemaMismatch }
    }

    /// What the model is told.
    pub(super) fn text(&self) -> String {
        let mut text = match self.of_calls {
            true => String::from("That call cannot be used:\n"),
            false => String::from("That answer cannot be used:\n"),
        };
        for line in &self.lines {
            let _cannot_fail = writeln!(text, "- {line}");
        }
        if self.errors > self.lines.len() {
            let _cannot_fail = writeln!(text, "- and {} more", self.errors - self.lines.len());
        }
        text.push_str(match self.of_calls {
            true => "Make the call again, with arguments that match the schema of the tool.",
            false => "Answer again, with nothing but JSON that matches the schema.",
        });
        text
    }

    fn add(&mut self, line: &str, place: String) {
        self.errors += 1;
        if self.lines.len() < MOST_LINES {
            self.lines.push(shortened(line, MOST_OF_A_LINE));
            self.places.push(place);
        }
    }

    fn said(&mut self, text: &str) {
        if !self.answer.is_empty() {
            self.answer.push_str("\n\n");
        }
        self.answer.push_str(text);
        self.answer = shortened(&self.answer, MOST_OF_AN_ANSWER);
    }
}

/// A text, cut at the last character that fits.
fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}\u{2026}", &text[..end])
}

/// Looks at an answer to this request.
pub(super) struct Check<'a> {
    pub(super) schemas: &'a Schemas,
    /// For whatever is asked, instead of what the request wants of a text.
    pub(super) own: Option<&'a Rule>,
    pub(super) is_tolerant: bool,
    pub(super) dialect: Dialect,
    pub(super) request: &'a [u8],
}

impl Check<'_> {
    pub(super) fn answer(&self, content_type: &str, body: &[u8]) -> Checked {
        let wanted = repair::wanted(self.dialect, self.request);
        if wanted.is_nothing() && self.own.is_none() {
            return Checked::Fine;
        }
        let Some(said) = repair::said(self.dialect, content_type, body) else {
            return Checked::Unknown("form");
        };
        if said.choices().is_empty() {
            return Checked::Unknown("form");
        }
        let mut complaint = Complaint::default();
        let mut cleaned = Vec::new();
        for choice in said.choices() {
            let mut clean = None;
            if choice.calls.is_empty() {
                match self.text(&wanted, choice, &mut complaint) {
                    Ok(changed) => clean = changed,
                    Err(reason) => return Checked::Unknown(reason),
                }
            } else if let Err(reason) = self.calls(&wanted, choice, &mut complaint) {
                return Checked::Unknown(reason);
            }
            cleaned.push(clean);
        }
        if complaint.errors > 0 {
            return Checked::Wrong(complaint);
        }
        if cleaned.iter().all(Option::is_none) {
            return Checked::Fine;
        }
        match said.with_texts(body, &cleaned) {
            Some(body) => Checked::Cleaned(body),
            // Where it cannot be cut out, it is as wrong as if nothing was tolerated.
            None => Check { is_tolerant: false, ..*self }.answer(content_type, body),
        }
    }

    /// Looks at a text: what is to be left of it, if not all is.
    fn text(
        &self,
        wanted: &Wanted<'_>,
        choice: &Choice,
        complaint: &mut Complaint,
    ) -> Result<Option<String>, &'static str> {
        let asked = || wanted.answer.map(|schema| self.schemas.rule(schema).ok_or("schema"));
        let rule = match self.own.cloned().map(Ok).or_else(asked) {
            Some(rule) => rule?,
            None => return Ok(None),
        };
        let text = &choice.text;
        let error = match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                let before = complaint.errors;
                self.matches(&rule, &value, "", complaint);
                if complaint.errors > before {
                    complaint.said(text);
                }
                return Ok(None);
            }
            Err(error) => error,
        };
        if let Some((clean, value)) = inside(text).filter(|_| self.is_tolerant) {
            let before = complaint.errors;
            self.matches(&rule, &value, "", complaint);
            if complaint.errors == before {
                return Ok(Some(clean.to_owned()));
            }
        } else {
            complaint.add(&format!("it is no JSON: {error}"), String::new());
        }
        complaint.said(text);
        Ok(None)
    }

    /// Looks at calls of tools.
    fn calls(
        &self,
        wanted: &Wanted<'_>,
        choice: &Choice,
        complaint: &mut Complaint,
    ) -> Result<(), &'static str> {
        if wanted.tools.is_empty() {
            return Ok(());
        }
        let before = complaint.errors;
        for call in &choice.calls {
            let name = &call.name;
            let Some(tool) = wanted.tools.iter().find(|tool| *tool.name == **name) else {
                let known: Vec<&str> = wanted.tools.iter().map(|tool| &*tool.name).collect();
                let line = format!("there is no tool {name:?}; there are {}", known.join(", "));
                complaint.add(&line, String::new());
                continue;
            };
            // A tool without arguments is called with nothing by some.
            let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
            match serde_json::from_str::<Value>(arguments) {
                Ok(value) => self.arguments(tool, &value, complaint)?,
                Err(error) => {
                    let line = format!("the arguments of {name:?} are no JSON: {error}");
                    complaint.add(&line, String::new());
                }
            }
        }
        if complaint.errors > before {
            complaint.of_calls = true;
            complaint.said(&choice.text);
            for call in &choice.calls {
                complaint.said(&format!("I call {} with {}", call.name, call.arguments));
            }
        }
        Ok(())
    }

    fn arguments(
        &self,
        tool: &Tool<'_>,
        value: &Value,
        complaint: &mut Complaint,
    ) -> Result<(), &'static str> {
        let Some(schema) = tool.schema else { return Ok(()) };
        let rule = self.schemas.rule(schema).ok_or("schema")?;
        self.matches(&rule, value, &format!("in the arguments of {:?}, ", tool.name), complaint);
        Ok(())
    }

    fn matches(&self, rule: &Rule, value: &Value, whose: &str, complaint: &mut Complaint) {
        match rule {
            Rule::Object if value.is_object() => {}
            Rule::Object => complaint.add("it is no object", String::new()),
            Rule::Schema(schema) => {
                for error in schema.iter_errors(value) {
                    let place = error.instance_path().to_string();
                    let place =
                        if place.is_empty() { "at the root" } else { &format!("at {place}") };
                    let line = format!("{whose}{place}: {error}");
                    complaint.add(&line, error.schema_path().to_string());
                }
            }
        }
    }
}

/// The JSON in a text that has something around it: a fence, or words before and behind.
fn inside(text: &str) -> Option<(&str, Value)> {
    let whole = |text: &str| serde_json::from_str::<Value>(text).ok();
    for fence in text.split("```").skip(1).step_by(2) {
        // Behind the fence is the name of the language, to the end of the line.
        let code = fence.split_once('\n').map_or(fence, |(first, rest)| {
            if first.trim().chars().all(char::is_alphanumeric) { rest } else { fence }
        });
        if let Some(value) = whole(code) {
            return Some((code.trim(), value));
        }
    }
    // A text can hold many brackets that begin nothing. What is inside of something that is no JSON is a part of the answer,
    // and not the answer.
    let mut from = 0;
    for (start, _) in text.match_indices(['{', '[']).take(16) {
        if start < from {
            continue;
        }
        let rest = &text[start..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => return Some((&rest[..values.byte_offset()], value)),
            Some(Err(error)) => from = start + place(rest, &error),
            None => {}
        }
    }
    None
}

/// How far a text was read before this was found.
fn place(text: &str, error: &serde_json::Error) -> usize {
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len);
    before.sum::<usize>() + error.column()
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn json_is_found_inside_of_fences_and_words() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(inside(text).map(|(found, _)| found), expected, "{text}");
        };
        check("```json\n{\"a\":1}\n```", Some("{\"a\":1}"));
        check("Sure:\n```\n[1]\n```\nOk?", Some("[1]"));
        check("```{\"a\":1}```", Some("{\"a\":1}"));
        check("Here it is: {\"a\":{\"b\":2}} Anything else?", Some("{\"a\":{\"b\":2}}"));
        check("[see] {\"a\":1}", Some("{\"a\":1}"));
        check("```rust\nfn f() {}\n```", Some("{}"));
        check("none", None);
        check("{\"a\":", None);
        // A part is not the whole.
        check("{\"items\":[{\"id\":1},],\"n\":2}", None);
        check("{\n  \"items\": [\n    {\"id\": 1},\n  ]\n}", None);
        check("{\"a\":,} so: {\"b\":1}", Some("{\"b\":1}"));
    }
}
