//! What a request wants of its answer.

use crate::{
    Dialect,
    request::{
        places::{self, Top},
        string,
    },
};

/// How a schema is written.
///
/// Complete: JSON Schema, what resembles it, and no more than that it be JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Schema<'b> {
    /// JSON Schema.
    Json(&'b [u8]),
    /// Google's own, which resembles it.
    Google(&'b [u8]),
    /// An object of any form.
    Object,
}

/// A tool that is offered to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tool<'b> {
    /// Its name.
    pub name: Box<str>,
    /// What its arguments have to be, if that is said.
    pub schema: Option<Schema<'b>>,
}

/// What a request wants of its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted<'b> {
    /// What the text has to be.
    pub answer: Option<Schema<'b>>,
    /// What may be called.
    pub tools: Vec<Tool<'b>>,
}

impl Wanted<'_> {
    /// Whether there is nothing that an answer could miss.
    pub fn is_nothing(&self) -> bool {
        self.answer.is_none() && self.tools.is_empty()
    }
}

/// What the request in this body wants. Nothing of a body that is not JSON.
pub fn wanted(dialect: Dialect, body: &[u8]) -> Wanted<'_> {
    let Ok(Some(top)) = Top::read(body) else { return Wanted::default() };
    Wanted { answer: answer(dialect, &top), tools: tools(dialect, &top) }
}

/// The first value at one of these places.
fn first<'b>(top: &Top<'b>, places: &[&str]) -> Option<&'b [u8]> {
    let mut found = None;
    for place in places {
        top.each(place, &mut |_, value| {
            if value != b"null" {
                found = found.or(Some(value));
            }
        });
    }
    found
}

fn object(value: Option<&[u8]>) -> Option<&[u8]> {
    value.filter(|value| value.starts_with(b"{"))
}

fn answer<'b>(dialect: Dialect, top: &Top<'b>) -> Option<Schema<'b>> {
    let schema = |places: &[&str]| object(first(top, places)).map(Schema::Json);
    let says = |places: &[&str], word: &str| {
        let said = first(top, places).and_then(string);
        said.is_some_and(|said| said == word).then_some(Schema::Object)
    };
    match dialect {
        Dialect::OpenAiChat => schema(&["response_format/json_schema/schema"])
            .or_else(|| says(&["response_format/type"], "json_object")),
        Dialect::OpenAiResponses => {
            schema(&["text/format/schema"]).or_else(|| says(&["text/format/type"], "json_object"))
        }
        Dialect::AnthropicMessages | Dialect::BedrockInvoke => {
            schema(&["output_config/format/schema", "output_format/schema"])
        }
        Dialect::Gemini => schema(&[
            "generationConfig/responseJsonSchema",
            "generation_config/response_json_schema",
        ])
        .or_else(|| {
            // A word of an enumeration is answered as it is, and is no JSON.
            let kind =
                ["generationConfig/responseMimeType", "generation_config/response_mime_type"];
            if first(top, &kind).and_then(string).is_some_and(|kind| kind == "text/x.enum") {
                return None;
            }
            let own = ["generationConfig/responseSchema", "generation_config/response_schema"];
            object(first(top, &own)).map(Schema::Google)
        }),
        Dialect::CohereV2 => schema(&["response_format/json_schema", "response_format/schema"])
            .or_else(|| says(&["response_format/type"], "json_object")),
        Dialect::OllamaNative => schema(&["format"]).or_else(|| says(&["format"], "json")),
        Dialect::BedrockConverse | Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings => None,
    }
}

/// Where tools are, and inside of each its name and its schemas.
struct Offers {
    tools: &'static [&'static str],
    name: &'static str,
    schema: &'static [&'static str],
    google: &'static [&'static str],
}

const fn offers(dialect: Dialect) -> Option<&'static Offers> {
    match dialect {
        Dialect::OpenAiChat | Dialect::CohereV2 | Dialect::OllamaNative => Some(&Offers {
            tools: &["tools/*/function", "functions/*"],
            name: "name",
            schema: &["parameters"],
            google: &[],
        }),
        // A tool without a name is one that the provider runs.
        Dialect::OpenAiResponses => Some(&Offers {
            tools: &["tools/*"],
            name: "name",
            schema: &["parameters"],
            google: &[],
        }),
        Dialect::AnthropicMessages | Dialect::BedrockInvoke => Some(&Offers {
            tools: &["tools/*"],
            name: "name",
            schema: &["input_schema"],
            google: &[],
        }),
        Dialect::Gemini => Some(&Offers {
            tools: &["tools/*/functionDeclarations/*", "tools/*/function_declarations/*"],
            name: "name",
            schema: &["parametersJsonSchema", "parameters_json_schema"],
            google: &["parameters"],
        }),
        Dialect::BedrockConverse => Some(&Offers {
            tools: &["toolConfig/tools/*/toolSpec"],
            name: "name",
            schema: &["inputSchema/json"],
            google: &[],
        }),
        Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings => None,
    }
}

fn tools<'b>(dialect: Dialect, top: &Top<'b>) -> Vec<Tool<'b>> {
    let Some(offers) = offers(dialect) else { return Vec::new() };
    let mut found = Vec::new();
    for place in offers.tools {
        top.each(place, &mut |_, tool| {
            let inside = |places: &[&str]| {
                let mut found = None;
                for place in places {
                    places::each(tool, place, &mut |value| found = Some(value));
                }
                object(found)
            };
            let mut name = None;
            places::each(tool, offers.name, &mut |value| name = string(value));
            if let Some(name) = name {
                let google = || inside(offers.google).map(Schema::Google);
                let schema = inside(offers.schema).map(Schema::Json).or_else(google);
                found.push(Tool { name: name.into(), schema });
            }
        });
    }
    found
}
