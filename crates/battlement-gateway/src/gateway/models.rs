//! The list of models, as the file has them.

use serde::Serialize;

use crate::config::{Config, Family};

/// One name that clients may ask for.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    owner: String,
}

/// The names that clients may ask for. A pattern is none.
#[derive(Debug)]
pub(super) struct Models(Vec<Named>);

/// As both OpenAI's clients and Anthropic's read it: they ask for the same path.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    display_name: &'a str,
    created_at: &'static str,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiEntry<'a> {
    name: String,
    display_name: &'a str,
    supported_generation_methods: [&'static str; 4],
}

#[derive(Serialize)]
struct GeminiList<'a> {
    models: Vec<GeminiEntry<'a>>,
}

#[derive(Serialize)]
struct OllamaEntry<'a> {
    name: &'a str,
    model: &'a str,
}

#[derive(Serialize)]
struct OllamaList<'a> {
    models: Vec<OllamaEntry<'a>>,
}

impl Models {
    pub(super) fn new(config: &Config) -> Self {
        let named =
            config.models.iter().filter(|model| !model.name.as_ref().ends_with('*')).map(|model| {
                Named {
                    name: model.name.as_ref().clone(),
                    owner: model
                        .to
                        .as_ref()
                        .first()
                        .map(|target| target.provider.as_ref().clone())
                        .unwrap_or_default(),
                }
            });
        Self(named.collect())
    }

    /// All, in the form that clients of this family read.
    pub(super) fn list(&self, family: Family) -> String {
        match family {
            Family::Openai | Family::Anthropic => json(&List {
                object: "list",
                data: self.0.iter().map(entry).collect(),
                has_more: false,
                first_id: self.0.first().map(|named| &*named.name),
                last_id: self.0.last().map(|named| &*named.name),
            }),
            Family::Gemini => json(&GeminiList { models: self.0.iter().map(gemini).collect() }),
            Family::Ollama => json(&OllamaList { models: self.0.iter().map(ollama).collect() }),
        }
    }

    /// One of them.
    pub(super) fn one(&self, family: Family, name: &str) -> Option<String> {
        let named = self.0.iter().find(|named| named.name == name)?;
        Some(match family {
            Family::Gemini => json(&gemini(named)),
            _ => json(&entry(named)),
        })
    }
}

fn entry(named: &Named) -> Entry<'_> {
    let Named { name, owner } = named;
    Entry {
        id: name,
        object: "model",
        // Nobody has told when it was made, and clients want a number.
        created: 0,
        owned_by: owner,
        kind: "model",
        display_name: name,
        created_at: "1970-01-01T00:00:00Z",
    }
}

fn gemini(named: &Named) -> GeminiEntry<'_> {
    GeminiEntry {
        name: format!("models/{}", named.name),
        display_name: &named.name,
        supported_generation_methods: [
            "generateContent",
            "countTokens",
            "embedContent",
            "batchEmbedContents",
        ],
    }
}

fn ollama(Named { name, .. }: &Named) -> OllamaEntry<'_> {
    OllamaEntry { name, model: name }
}

fn json(value: &impl Serialize) -> String {
    // Strings and numbers: nothing that could not be written.
    serde_json::to_string(value).unwrap_or_default()
}
