//! The form that keys are made from: what was asked, in one order and with lengths.

use smallvec::SmallVec;

use super::{MOST_DEPTH, NoKey};
use crate::{
    Dialect, Provider,
    request::{
        Facts, Operation,
        cursor::{Cursor, Event, Text},
    },
};

/// What is longer goes on as its hash, so that no byte is moved often when members are sorted.
const MOST_INLINE: usize = 1024;

/// The form of one request, as it is written.
pub(super) struct Form<'a> {
    facts: &'a Facts,
    out: SmallVec<[u8; 1024]>,
    /// The members of all objects that have begun and not ended.
    members: SmallVec<[Member; 32]>,
    open: SmallVec<[Open; 16]>,
    /// Where members are sorted.
    sorted: Vec<u8>,
    /// Whether a value says that the same answer is asked for each time.
    is_fixed: bool,
}

/// A container that has begun.
#[derive(Clone, Copy)]
struct Open {
    /// Where its form begins.
    start: usize,
    /// The number of members before its own; `None` of an array.
    members: Option<usize>,
    /// Whether it has settings of the sampler.
    samples: bool,
}

/// A member of an object: where its name begins in the form, and where that ends.
#[derive(Clone, Copy)]
struct Member {
    start: usize,
    name: usize,
    end: usize,
    counts: bool,
}

/// What comes before a name: its mark and its length.
const BEFORE_NAME: usize = 1 + LENGTH;
const LENGTH: usize = size_of::<u64>();

impl<'a> Form<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        Self {
            facts,
            out: SmallVec::new(),
            members: SmallVec::new(),
            open: SmallVec::new(),
            sorted: Vec::new(),
            is_fixed: false,
        }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        self.out.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.out.extend_from_slice(text);
    }

    pub(super) fn tagged(&mut self, tag: u8, text: &[u8]) {
        self.byte(tag);
        self.text(text);
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.out).as_bytes()
    }

    pub(super) fn is_deterministic(&self) -> bool {
        self.is_fixed || self.facts.operation == Operation::Embeddings
    }

    /// Writes a body.
    pub(super) fn body(&mut self, body: &[u8]) -> Result<(), NoKey> {
        let mut cursor = Cursor::new(body);
        let mut is_object = false;
        // What the next value is for, if it is a setting of the sampler or has them.
        let mut next = Setting::Other;
        while let Some(event) = cursor.next()? {
            let place = std::mem::replace(&mut next, Setting::Other);
            match event {
                Event::Key => {
                    next = self.name(cursor.text())?;
                    continue;
                }
                Event::ObjectStart => {
                    is_object |= self.open.is_empty();
                    self.enter(b'{', Some(self.members.len()), place)?;
                    continue;
                }
                Event::ArrayStart => {
                    self.enter(b'[', None, Setting::Other)?;
                    continue;
                }
                Event::ObjectEnd | Event::ArrayEnd => self.leave()?,
                Event::String => self.string(cursor.text())?,
                Event::Number => {
                    self.is_fixed |= place.is_fixed_by(cursor.text().raw);
                    self.tagged(b'0', cursor.text().raw);
                }
                Event::True => self.byte(b't'),
                Event::False => self.byte(b'f'),
                Event::Null => self.byte(b'n'),
            }
            // Whatever has ended may have been the value of a member.
            let end = self.out.len();
            if self.open.last().is_some_and(|open| open.members.is_some()) {
                if let Some(member) = self.members.last_mut() {
                    member.end = end;
                }
            }
        }
        if is_object { Ok(()) } else { Err(NoKey::NotAnObject) }
    }

    fn enter(&mut self, mark: u8, members: Option<usize>, place: Setting) -> Result<(), NoKey> {
        if self.open.len() == MOST_DEPTH {
            return Err(NoKey::TooDeep);
        }
        let is_root = self.open.is_empty();
        let samples = place == Setting::Settings || (is_root && has_settings_at_root(self.facts));
        self.open.push(Open { start: self.out.len(), members, samples });
        self.byte(mark);
        Ok(())
    }

    /// The name of a member begins; says what its value is for.
    fn name(&mut self, name: Text<'_>) -> Result<Setting, NoKey> {
        let start = self.out.len();
        let decoded = plain(name)?;
        let text = decoded.as_deref().unwrap_or(name.raw);
        self.tagged(b'k', text);
        let is_root = self.open.len() == 1;
        let counts = !(is_root && is_only_for_the_provider(self.facts, text));
        self.members.push(Member { start, name: text.len(), end: self.out.len(), counts });
        let samples = self.open.last().is_some_and(|open| open.samples);
        Ok(match text {
            b"temperature" if samples => Setting::Temperature,
            b"seed" if samples => Setting::Seed,
            _ if is_root && settings(self.facts).contains(&text) => Setting::Settings,
            _ => Setting::Other,
        })
    }

    fn string(&mut self, text: Text<'_>) -> Result<(), NoKey> {
        let decoded = plain(text)?;
        let text = decoded.as_deref().unwrap_or(text.raw);
        if text.len() > MOST_INLINE {
            let hash = blake3::hash(text);
            self.byte(b'S');
            self.out.extend_from_slice(hash.as_bytes());
        } else {
            self.tagged(b's', text);
        }
        Ok(())
    }

    /// The innermost container ends.
    fn leave(&mut self) -> Result<(), NoKey> {
        let Some(Open { start, members, .. }) = self.open.pop() else { return Ok(()) };
        if let Some(first) = members {
            self.sort(start, first)?;
            self.members.truncate(first);
        }
        self.byte(if members.is_some() { b'}' } else { b']' });
        if self.out.len() - start > MOST_INLINE {
            let hash = blake3::hash(&self.out[start..]);
            self.out.truncate(start);
            self.byte(b'#');
            self.out.extend_from_slice(hash.as_bytes());
        }
        Ok(())
    }

    /// Puts the members of an object in the order of their names.
    fn sort(&mut self, start: usize, first: usize) -> Result<(), NoKey> {
        let Self { out, members, sorted, .. } = self;
        let members = &mut members[first..];
        let name = |member: &Member| {
            let begin = member.start + BEFORE_NAME;
            &out[begin..begin + member.name]
        };
        let in_order = members.is_sorted_by(|one, other| name(one) < name(other));
        if in_order && members.iter().all(|member| member.counts) {
            return Ok(());
        }
        members.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        if members.windows(2).any(|pair| name(&pair[0]) == name(&pair[1])) {
            return Err(NoKey::Duplicate);
        }
        sorted.clear();
        for member in members.iter().filter(|member| member.counts) {
            sorted.extend_from_slice(&out[member.start..member.end]);
        }
        out.truncate(start + 1);
        out.extend_from_slice(sorted);
        Ok(())
    }
}

/// The bytes of a text; `None` if they are as they are written.
fn plain(text: Text<'_>) -> Result<Option<Vec<u8>>, NoKey> {
    // No early end, so that many bytes are looked at together.
    if text.raw.iter().fold(false, |found, byte| found | (*byte < 0x20)) {
        return Err(NoKey::NotText);
    }
    if std::str::from_utf8(text.raw).is_err() {
        return Err(NoKey::NotText);
    }
    if !text.is_escaped() {
        return Ok(None);
    }
    let decoded = text.decode();
    // What is not Unicode has become this, and is not the same as what was.
    if decoded.contains(char::REPLACEMENT_CHARACTER) {
        return Err(NoKey::NotText);
    }
    Ok(Some(decoded.into_owned().into_bytes()))
}

/// What a value is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setting {
    Temperature,
    Seed,
    /// An object of such.
    Settings,
    Other,
}

impl Setting {
    /// Whether this number makes the model say the same each time, as far as it can.
    fn is_fixed_by(self, number: &[u8]) -> bool {
        let number = || std::str::from_utf8(number).ok()?.parse::<f64>().ok();
        match self {
            Self::Temperature => number() == Some(0.0),
            // Some take a negative one for none.
            Self::Seed => number().is_some_and(|seed| seed >= 0.0),
            Self::Settings | Self::Other => false,
        }
    }
}

fn has_settings_at_root(facts: &Facts) -> bool {
    !matches!(
        facts.dialect,
        None | Some(Dialect::Gemini | Dialect::BedrockConverse | Dialect::OllamaNative)
    )
}

/// The objects that have settings of the sampler.
fn settings(facts: &Facts) -> &'static [&'static [u8]] {
    match facts.dialect {
        Some(Dialect::Gemini) => &[b"generationConfig", b"generation_config"],
        Some(Dialect::BedrockConverse) => &[b"inferenceConfig"],
        Some(Dialect::OllamaNative) => &[b"options"],
        Some(Dialect::BedrockInvoke) => &[b"inferenceConfig", b"textGenerationConfig"],
        _ => &[],
    }
}

/// Whether a member only tells the provider who its end user is, or where its own cache is.
fn is_only_for_the_provider(facts: &Facts, name: &[u8]) -> bool {
    let is_told =
        matches!(facts.provider, Provider::OpenAi | Provider::AzureOpenAi | Provider::Anthropic);
    let is_not_repeated = matches!(
        facts.dialect,
        Some(
            Dialect::OpenAiChat
                | Dialect::OpenAiCompletions
                | Dialect::OpenAiEmbeddings
                | Dialect::AnthropicMessages
        )
    );
    let names: [&[u8]; 5] = [
        b"user",
        b"safety_identifier",
        b"metadata",
        b"prompt_cache_key",
        b"prompt_cache_retention",
    ];
    is_told && is_not_repeated && names.contains(&name)
}
