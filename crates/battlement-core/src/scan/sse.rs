//! Server-sent events, in slices of any size.
//!
//! Follows the WHATWG rules (LF, CRLF and lone CR, a leading BOM, comments, data lines joined by
//! LF, an event without its blank line is dropped) and two habits of real servers: `error:` as a
//! field of its own (older llama.cpp), and bare JSON lines without any field (Gemini's frontend).

/// Takes the parts of events as they pass.
pub(crate) trait Events {
    /// A piece of the event's data; pieces of one event belong together.
    fn data(&mut self, bytes: &[u8]);
    /// The event is an error by its own word: `event: error`, or a field named `error`.
    fn error(&mut self);
    /// A comment: the line is alive, and no more than that.
    fn comment(&mut self);
    /// The event is complete.
    fn dispatch(&mut self);
    /// An event of one line stands whole in the slice: its data, then the end of it.
    fn event(&mut self, data: &[u8]);
    /// Whether an event may turn out to be one that need not be read.
    fn may_repeat(&self) -> bool;
    /// Whether the data so far is a whole JSON document.
    fn is_whole(&self) -> bool;
}

/// The state of a reader between two slices.
#[derive(Debug)]
pub(crate) struct Reader {
    line: Line,
    /// Bytes of the BOM seen at the very start; 4 when that question is settled.
    bom: u8,
    /// The last line ended with CR, so an LF right behind it is not another end.
    cr: bool,
    /// The event has a data line.
    has_data: bool,
    /// The event consists of bare JSON lines.
    bare: bool,
    /// The event calls itself an error.
    error: bool,
    /// The beginning of a short event that a slice border cut, from its data line on. Held back
    /// only where the whole may be one that need not be read.
    held: Vec<u8>,
    /// The beginning of a field's name, or of an event's name.
    word: [u8; 8],
    word_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// At the beginning of a line.
    Start,
    /// In a field's name.
    Name,
    /// Behind the colon, where one space is dropped.
    Behind(Field),
    /// In a field's value.
    In(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Other,
}

/// How much of an event is held back, longer ones are read in pieces.
const HELD: usize = 1024;

const BOM: &[u8; 3] = b"\xef\xbb\xbf";

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            line: Line::Start,
            bom: 0,
            cr: false,
            has_data: false,
            bare: false,
            error: false,
            held: Vec::new(),
            word: [0; 8],
            word_len: 0,
        }
    }

    /// Reads on.
    pub(crate) fn feed(&mut self, bytes: &[u8], events: &mut impl Events) {
        let taken = if self.held.is_empty() { 0 } else { self.hold_more(bytes, events) };
        self.read(&bytes[taken..], true, events);
    }

    /// Adds to what is held, up to the end of the line or event; how much of the slice that took.
    fn hold_more(&mut self, bytes: &[u8], events: &mut impl Events) -> usize {
        let before = self.held.len();
        let room = HELD - before;
        self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Some(end) = line_over(&self.held) {
            self.held.truncate(end);
        } else if self.held.len() < HELD {
            return bytes.len();
        }
        let taken = self.held.len() - before;
        self.release(events);
        taken
    }

    /// Reads what is held.
    fn release(&mut self, events: &mut impl Events) {
        let mut held = std::mem::take(&mut self.held);
        self.read(&held, false, events);
        held.clear();
        self.held = held;
    }

    fn read(&mut self, bytes: &[u8], hold: bool, events: &mut impl Events) {
        let mut at = 0;
        if self.bom < 4 {
            at = self.skip_bom(bytes);
        }
        while at < bytes.len() {
            at = match self.line {
                Line::Start => self.start(bytes, at, hold, events),
                Line::Name => self.name(bytes, at, events),
                Line::Behind(field) => {
                    self.line = Line::In(field);
                    at + usize::from(bytes[at] == b' ')
                }
                Line::In(field) => self.value(field, bytes, at, events),
            };
        }
    }

    /// Ends the input. An event without its blank line is dropped by the standard; whether `[DONE]`
    /// was one is for the caller to accept. Bare JSON has no blank line to wait for.
    pub(crate) fn finish(&mut self, events: &mut impl Events) {
        self.release(events);
        if self.bare && events.is_whole() {
            self.dispatch(events);
        }
    }

    fn skip_bom(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let (Some(expected), Some(byte)) = (BOM.get(usize::from(self.bom)), bytes.get(at)) {
            if expected != byte {
                if self.bom > 0 {
                    // Half a BOM is the beginning of a name nobody knows.
                    self.line = Line::Name;
                    self.word_len = self.word.len();
                }
                self.bom = 4;
                return at;
            }
            self.bom += 1;
            at += 1;
        }
        if self.bom == 3 {
            self.bom = 4;
        }
        at
    }

    #[inline]
    fn start(&mut self, bytes: &[u8], at: usize, hold: bool, events: &mut impl Events) -> usize {
        let byte = bytes[at];
        if std::mem::take(&mut self.cr) && byte == b'\n' {
            return at + 1;
        }
        if self.bare {
            self.line = Line::In(Field::Data);
            return at;
        }
        match byte {
            b'd' if bytes[at..].starts_with(b"data:") => {
                if !self.has_data && !self.error {
                    if let Some(end) = whole_event(bytes, at + 5, events) {
                        return end;
                    }
                    if hold && bytes.len() - at < HELD && events.may_repeat() {
                        // What is over is no event of one line that could be one like the last.
                        if line_over(&bytes[at..]).is_none() {
                            self.held.reserve(HELD);
                            self.held.extend_from_slice(&bytes[at..]);
                            return bytes.len();
                        }
                    }
                }
                self.begin_data(events);
                at + 5
            }
            b'\n' | b'\r' => {
                self.cr = byte == b'\r';
                self.dispatch(events);
                at + 1
            }
            b':' => {
                events.comment();
                self.line = Line::In(Field::Other);
                at + 1
            }
            b'{' | b'[' if !self.has_data => {
                self.bare = true;
                self.has_data = true;
                self.line = Line::In(Field::Data);
                at
            }
            _ => {
                self.line = Line::Name;
                self.word_len = 0;
                at
            }
        }
    }

    fn begin_data(&mut self, events: &mut impl Events) {
        if self.has_data {
            events.data(b"\n");
        }
        self.has_data = true;
        self.line = Line::Behind(Field::Data);
    }

    fn name(&mut self, bytes: &[u8], at: usize, events: &mut impl Events) -> usize {
        let rest = &bytes[at..];
        let Some(end) = memchr::memchr3(b':', b'\n', b'\r', rest) else {
            self.keep(rest);
            return bytes.len();
        };
        self.keep(&rest[..end]);
        match &self.word[..self.word_len] {
            b"data" => self.begin_data(events),
            b"event" => self.line = Line::Behind(Field::Event),
            b"error" => {
                self.error = true;
                self.begin_data(events);
            }
            _ => self.line = Line::Behind(Field::Other),
        }
        self.word_len = 0;
        if rest[end] == b':' {
            return at + end + 1;
        }
        // A field without a colon has an empty value; its line end is read as that value's end.
        if let Line::Behind(field) = self.line {
            self.line = Line::In(field);
        }
        at + end
    }

    #[inline]
    fn value(&mut self, field: Field, bytes: &[u8], at: usize, events: &mut impl Events) -> usize {
        let rest = &bytes[at..];
        let end = memchr::memchr2(b'\n', b'\r', rest);
        let value = &rest[..end.unwrap_or(rest.len())];
        match field {
            Field::Data if !value.is_empty() => events.data(value),
            Field::Event => self.keep(value),
            Field::Data | Field::Other => {}
        }
        let Some(end) = end else { return bytes.len() };
        self.cr = rest[end] == b'\r';
        self.line = Line::Start;
        if field == Field::Event {
            self.error = &self.word[..self.word_len] == b"error";
            self.word_len = 0;
        }
        if self.bare {
            events.data(b"\n");
            if events.is_whole() {
                self.dispatch(events);
            }
        }
        at + end + 1
    }

    fn dispatch(&mut self, events: &mut impl Events) {
        // The last name of an event counts, and none without data does.
        let error = std::mem::take(&mut self.error);
        if self.has_data {
            if error {
                events.error();
            }
            events.dispatch();
        }
        self.has_data = false;
        self.bare = false;
    }

    /// Keeps the beginning of a word; one that does not fit is none we know.
    fn keep(&mut self, bytes: &[u8]) {
        let room = self.word.len() - self.word_len;
        let len = bytes.len().min(room);
        self.word[self.word_len..self.word_len + len].copy_from_slice(&bytes[..len]);
        self.word_len += len;
    }
}

/// Reads an event of one data line and a blank one, if both stand in the slice; its end.
#[inline]
fn whole_event(bytes: &[u8], at: usize, events: &mut impl Events) -> Option<usize> {
    let at = at + usize::from(bytes.get(at) == Some(&b' '));
    let end = at + memchr::memchr2(b'\n', b'\r', bytes.get(at..)?)?;
    let blank = match bytes[end..] {
        [b'\n', b'\n', ..] => 2,
        [b'\r', b'\n', b'\r', b'\n', ..] => 4,
        _ => return None,
    };
    events.event(&bytes[at..end]);
    Some(end + blank)
}

/// The end of the first line, with the blank one behind it if there is one. `None` where the slice
/// ends before that can be told.
fn line_over(bytes: &[u8]) -> Option<usize> {
    let end = memchr::memchr2(b'\n', b'\r', bytes)?;
    let behind = match bytes[end..] {
        [b'\r'] | [b'\r', b'\n'] => return None,
        [b'\r', b'\n', ..] => end + 2,
        _ => end + 1,
    };
    let blank = matches!(bytes.get(behind)?, b'\n' | b'\r');
    Some(behind + usize::from(blank))
}
