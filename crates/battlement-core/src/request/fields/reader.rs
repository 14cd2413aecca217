//! The walk over a body, and what each value in it is taken for.

use std::borrow::Cow;

use super::{
    Counter, Fields,
    place::{
        Place, data_url_mime, inside_array, is_kept_file, is_server_tool, media_of, medium_of_type,
    },
};
use crate::request::{
    cursor::{Cursor, Event, NotJson, Text},
    estimate::{AUDIO_TOKENS, DOCUMENT_TOKENS, IMAGE_TOKENS, MESSAGE_TOKENS},
};

/// An Anthropic `source`, a Gemini `inlineData` or a Bedrock `source`, until its end.
#[derive(Debug, Default)]
struct Blob<'a> {
    is_text: bool,
    mime: Option<Cow<'a, str>>,
    data: Option<Text<'a>>,
}

/// A container that has begun.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: Place,
    /// The medium that the `type` of a part names.
    named: Option<Place>,
    /// A medium that says not what it is: what to take it for if `type` is silent.
    untold: Option<Place>,
}

pub(super) struct Reader<'a, C> {
    fields: Fields,
    counter: C,
    blob: Blob<'a>,
    /// The search that is being read is not switched off.
    searches: bool,
    open: Vec<Open>,
}

impl<'a, C: Counter> Reader<'a, C> {
    /// Reads a body from start to end, and counts its prompt with `counter`.
    pub(super) fn read(body: &'a [u8], counter: C) -> Result<Fields, NotJson> {
        let mut cursor = Cursor::new(body);
        let mut reader = Self {
            fields: Fields::default(),
            counter,
            blob: Blob::default(),
            searches: false,
            open: Vec::new(),
        };
        // The place of the value that comes next.
        let mut next = Place::Root;
        while let Some(event) = cursor.next()? {
            match event {
                Event::Key(key) => {
                    let parent = reader.inside();
                    next = reader.child(parent, &key.decode());
                    if parent == Place::Structured {
                        reader.text(key);
                    }
                    continue;
                }
                Event::ObjectStart => {
                    if reader.open.is_empty() {
                        reader.fields.is_object = true;
                    }
                    let place = reader.enter_object(next);
                    reader.enter(place);
                }
                Event::ArrayStart => reader.enter(inside_array(next)),
                Event::ObjectEnd | Event::ArrayEnd => reader.leave(),
                scalar => reader.scalar(next, scalar),
            }
            // Elements of an array have the place of the array.
            next = reader.inside();
        }
        reader.fields.input_tokens = reader.counter.tokens();
        Ok(reader.fields)
    }

    /// The place of the innermost container.
    fn inside(&self) -> Place {
        self.open.last().map_or(Place::Quiet, |open| open.place)
    }

    fn enter(&mut self, place: Place) {
        self.open.push(Open { place, named: None, untold: None });
    }

    fn leave(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        match closed.place {
            Place::Blob => self.settle_blob(),
            Place::Search => self.fields.server_tools |= self.searches,
            _ => {}
        }
        if let Some(medium) = closed.untold {
            self.media(closed.named.unwrap_or(medium));
        }
    }

    /// The place of a member, noted where its mere presence tells something.
    fn child(&mut self, parent: Place, key: &str) -> Place {
        match parent {
            Place::Root => self.fields.seen.note(key),
            // A source that holds text in the open, not in base64.
            Place::Blob if matches!(key, "text" | "content") => self.blob.is_text = true,
            _ => {}
        }
        parent.child(key)
    }

    /// An object begins at `place`; returns the place of its inside.
    fn enter_object(&mut self, place: Place) -> Place {
        match place {
            Place::Turns => {
                self.counter.add(MESSAGE_TOKENS);
                Place::Parts
            }
            Place::Tools => {
                self.fields.tools = true;
                self.counter.add(MESSAGE_TOKENS);
                Place::Tool
            }
            Place::ServerTools => {
                self.fields.server_tools = true;
                Place::Structured
            }
            Place::State => {
                self.fields.server_state = true;
                Place::Quiet
            }
            Place::Prompt => {
                // Nothing but Responses has an object here.
                self.fields.seen.prompt = false;
                self.fields.seen.instructions = true;
                Place::StoredPrompt
            }
            Place::Schema => {
                self.fields.structured = true;
                Place::Structured
            }
            Place::Constraint => {
                self.fields.structured = true;
                Place::Quiet
            }
            Place::Search => {
                self.searches = true;
                Place::Search
            }
            Place::OllamaFormat => {
                self.fields.ollama_format = true;
                Place::Structured
            }
            Place::FileData | Place::Blob => {
                self.blob = Blob::default();
                Place::Blob
            }
            Place::Image | Place::Audio | Place::File => {
                self.media(place);
                Place::Quiet
            }
            other => other,
        }
    }

    fn scalar(&mut self, place: Place, value: Event<'a>) {
        let fields = &mut self.fields;
        match place {
            Place::Model => fields.model = string(value).map(|text| text.decode().into()),
            Place::Stream => fields.stream = boolean(value),
            Place::IncludeUsage => fields.include_usage = boolean(value),
            Place::MaxTokens => fields.max_tokens = count(value),
            Place::MaxCompletionTokens => fields.max_completion_tokens = count(value),
            Place::MaxOutputTokens => fields.max_output_tokens = count(value),
            Place::MaxGenLen => fields.max_gen_len = count(value),
            Place::GenerationCap => fields.generation_cap = count(value),
            Place::InferenceCap => fields.inference_cap = count(value),
            Place::TitanCap => fields.titan_cap = count(value),
            Place::OptionsCap => fields.options_cap = count(value),
            Place::N => fields.n = count(value),
            Place::BestOf => fields.best_of = count(value),
            Place::CandidateCount => fields.candidate_count = count(value),
            Place::StateSwitch => fields.server_state |= value == Event::Bool(true),
            Place::State | Place::FileId => fields.server_state |= non_empty(value),
            Place::Constraint => fields.structured |= non_empty(value),
            Place::ServerTools => fields.server_tools |= non_empty(value),
            Place::OllamaFormat => fields.ollama_format |= non_empty(value),
            _ => {}
        }
        match (place, value) {
            (
                Place::Turns | Place::Prompt | Place::Parts | Place::Document,
                Event::String(text),
            ) => {
                self.prose(text);
            }
            // Token ids.
            (Place::Turns, Event::Number(_)) => self.counter.add(1),
            (Place::Structured | Place::Tools, Event::String(text)) => self.text(text),
            (Place::Structured, Event::Number(digits)) => {
                self.counter.text(Text::plain(digits));
            }
            (Place::Structured, Event::Bool(_) | Event::Null) => self.counter.add(1),
            (Place::SearchMode, Event::String(text)) => self.searches = text.decode() != "off",
            (Place::ToolType, Event::String(text)) => {
                self.fields.server_tools |= is_server_tool(&text.decode());
            }
            (Place::FormatType, Event::String(text)) => {
                self.fields.structured |= !matches!(&*text.decode(), "text" | "");
            }
            (Place::MimeType, Event::String(text)) => {
                self.fields.structured |= !matches!(&*text.decode(), "text/plain" | "");
            }
            (Place::PartType, Event::String(text)) => {
                let name = text.decode();
                self.fields.server_state |= name == "item_reference";
                if let Some(part) = self.open.last_mut() {
                    part.named = medium_of_type(&name);
                }
            }
            (Place::FileId, Event::String(_)) => self.untold(Place::File),
            (Place::BlobType, Event::String(text)) => match text.raw {
                b"text" => self.blob.is_text = true,
                b"file" => self.fields.server_state = true,
                _ => {}
            },
            (Place::BlobUri, Event::String(text)) => {
                self.fields.server_state |= is_kept_file(&text.decode());
            }
            (Place::BlobMime, Event::String(text)) => self.blob.mime = Some(text.decode()),
            (Place::BlobData, Event::String(text)) => self.blob.data = Some(text),
            (Place::Image | Place::Audio | Place::File | Place::FileData, Event::String(_)) => {
                self.media(place);
            }
            _ => {}
        }
    }

    /// A string of the prompt, unless it is a data URL.
    fn prose(&mut self, text: Text<'a>) {
        match data_url_mime(text.raw) {
            Some(mime) => self.media(media_of(mime)),
            None => self.text(text),
        }
    }

    fn text(&mut self, text: Text<'a>) {
        self.counter.text(text);
    }

    fn media(&mut self, place: Place) {
        let (count, tokens) = match place {
            Place::Image => (&mut self.fields.images, IMAGE_TOKENS),
            Place::Audio => (&mut self.fields.audio, AUDIO_TOKENS),
            _ => (&mut self.fields.documents, DOCUMENT_TOKENS),
        };
        *count = count.saturating_add(1);
        self.counter.add(tokens);
    }

    /// A medium inside the innermost container, whose `type` may be still to come.
    fn untold(&mut self, medium: Place) {
        if let Some(part) = self.open.last_mut() {
            part.untold = Some(medium);
        }
    }

    fn settle_blob(&mut self) {
        // What is left behind settles to nothing if this blob was inside another.
        let blob = std::mem::replace(&mut self.blob, Blob { is_text: true, ..Blob::default() });
        match (blob.is_text, blob.mime, blob.data) {
            (true, _, Some(data)) => self.text(data),
            (true, _, None) => {}
            (false, Some(mime), _) => self.media(media_of(&mime)),
            (false, None, _) if self.inside() == Place::Document => self.untold(Place::File),
            (false, None, _) => self.untold(Place::Image),
        }
    }
}

fn string(value: Event<'_>) -> Option<Text<'_>> {
    match value {
        Event::String(text) => Some(text),
        _ => None,
    }
}

fn boolean(value: Event<'_>) -> Option<bool> {
    match value {
        Event::Bool(value) => Some(value),
        _ => None,
    }
}

fn non_empty(value: Event<'_>) -> bool {
    string(value).is_some_and(|text| !text.raw.is_empty())
}

/// A count: protobuf sends integers as strings, some clients as `100.0`; negative means no limit.
fn count(value: Event<'_>) -> Option<u64> {
    let digits = match value {
        Event::Number(digits) => digits,
        Event::String(text) => text.raw,
        _ => return None,
    };
    let digits = std::str::from_utf8(digits).ok()?;
    digits.parse().ok().or_else(|| {
        let number: f64 = digits.parse().ok()?;
        // The cast saturates.
        (number >= 0.0 && number.is_finite()).then_some(number as u64)
    })
}
