//! The walk over a body, and what each value in it is taken for.

use std::borrow::Cow;

use smallvec::SmallVec;

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

pub(super) struct Reader<'a, 'f, C> {
    /// Filled in place: it is too large to be handed around.
    fields: &'f mut Fields<'a>,
    counter: C,
    blob: Blob<'a>,
    /// The search that is being read is not switched off.
    searches: bool,
    open: SmallVec<[Open; 16]>,
}

impl<'a, 'f, C: Counter> Reader<'a, 'f, C> {
    /// Reads a body from start to end, and counts its prompt with `counter`.
    pub(super) fn read(
        body: &'a [u8],
        counter: C,
        fields: &'f mut Fields<'a>,
    ) -> Result<(), NotJson> {
        let mut cursor = Cursor::new(body);
        let mut reader =
            Self { fields, counter, blob: Blob::default(), searches: false, open: SmallVec::new() };
        // The place of the value that comes next.
        let mut next = Place::Root;
        while let Some(event) = cursor.next()? {
            match event {
                Event::Key => {
                    let key = cursor.text();
                    let parent = reader.inside();
                    next = key.with_bytes(|key| reader.child(parent, key));
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
                scalar => reader.scalar(next, scalar, cursor.text()),
            }
            // Elements of an array have the place of the array.
            next = reader.inside();
        }
        reader.fields.input_tokens = reader.counter.tokens();
        Ok(())
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
    fn child(&mut self, parent: Place, key: &[u8]) -> Place {
        match parent {
            Place::Root => self.fields.seen.note(key),
            // A source that holds text in the open, not in base64.
            Place::Blob if matches!(key, b"text" | b"content") => self.blob.is_text = true,
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

    /// `text` is what a string or number says.
    fn scalar(&mut self, place: Place, value: Event, text: Text<'a>) {
        let fields = &mut *self.fields;
        match place {
            Place::Model => fields.model = (value == Event::String).then_some(text),
            Place::Stream => fields.stream = boolean(value),
            Place::IncludeUsage => fields.include_usage = boolean(value),
            Place::MaxTokens => fields.max_tokens = count(value, text),
            Place::MaxCompletionTokens => fields.max_completion_tokens = count(value, text),
            Place::MaxOutputTokens => fields.max_output_tokens = count(value, text),
            Place::MaxGenLen => fields.max_gen_len = count(value, text),
            Place::GenerationCap => fields.generation_cap = count(value, text),
            Place::InferenceCap => fields.inference_cap = count(value, text),
            Place::TitanCap => fields.titan_cap = count(value, text),
            Place::OptionsCap => fields.options_cap = count(value, text),
            Place::N => fields.n = count(value, text),
            Place::BestOf => fields.best_of = count(value, text),
            Place::CandidateCount => fields.candidate_count = count(value, text),
            Place::StateSwitch => fields.server_state |= value == Event::True,
            Place::State | Place::FileId => fields.server_state |= non_empty(value, text),
            Place::Constraint => fields.structured |= non_empty(value, text),
            Place::ServerTools => fields.server_tools |= non_empty(value, text),
            Place::OllamaFormat => fields.ollama_format |= non_empty(value, text),
            _ => {}
        }
        match (place, value) {
            (Place::Turns | Place::Prompt | Place::Parts | Place::Document, Event::String) => {
                self.prose(text);
            }
            // Token ids.
            (Place::Turns, Event::Number) => self.counter.add(1),
            (Place::Structured | Place::Tools, Event::String) => self.text(text),
            (Place::Structured, Event::Number) => self.text(text),
            (Place::Structured, Event::True | Event::False | Event::Null) => self.counter.add(1),
            (Place::SearchMode, Event::String) => self.searches = text.decode() != "off",
            (Place::ToolType, Event::String) => {
                self.fields.server_tools |= is_server_tool(&text.decode());
            }
            (Place::FormatType, Event::String) => {
                self.fields.structured |= !matches!(&*text.decode(), "text" | "");
            }
            (Place::MimeType, Event::String) => {
                self.fields.structured |= !matches!(&*text.decode(), "text/plain" | "");
            }
            (Place::PartType, Event::String) => {
                let name = text.decode();
                self.fields.server_state |= name == "item_reference";
                if let Some(part) = self.open.last_mut() {
                    part.named = medium_of_type(&name);
                }
            }
            (Place::FileId, Event::String) => self.untold(Place::File),
            (Place::BlobType, Event::String) => match text.raw {
                b"text" => self.blob.is_text = true,
                b"file" => self.fields.server_state = true,
                _ => {}
            },
            (Place::BlobUri, Event::String) => {
                self.fields.server_state |= is_kept_file(&text.decode());
            }
            (Place::BlobMime, Event::String) => self.blob.mime = Some(text.decode()),
            (Place::BlobData, Event::String) => self.blob.data = Some(text),
            (Place::Image | Place::Audio | Place::File | Place::FileData, Event::String) => {
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

fn boolean(value: Event) -> Option<bool> {
    match value {
        Event::True => Some(true),
        Event::False => Some(false),
        _ => None,
    }
}

fn non_empty(value: Event, text: Text<'_>) -> bool {
    value == Event::String && !text.raw.is_empty()
}

/// A count: protobuf sends integers as strings, some clients as `100.0`; negative means no limit.
fn count(value: Event, text: Text<'_>) -> Option<u64> {
    if !matches!(value, Event::Number | Event::String) {
        return None;
    }
    let digits = std::str::from_utf8(text.raw).ok()?;
    digits.parse().ok().or_else(|| {
        let number: f64 = digits.parse().ok()?;
        // The cast saturates.
        (number >= 0.0 && number.is_finite()).then_some(number as u64)
    })
}
