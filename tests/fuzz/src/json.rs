//! JSON, the slow way: a tree that keeps everything, a writer that writes it as nobody would, and a
//! reader that has nothing in common with the one under test.

use super::entropy::Entropy;

/// A document. Members keep their order and their doubles.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    /// Bytes that are written as they are; never read.
    Raw(Vec<u8>),
}

impl Json {
    pub fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }

    /// All members of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        let members = if let Self::Object(members) = self { &members[..] } else { &[] };
        members.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
    }

    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }
}

/// Writes a document with blanks, escapes and decoys.
pub struct Writer<'a, 'b> {
    pub entropy: &'a mut Entropy<'b>,
    /// Whether line ends may stand between tokens.
    pub lines: bool,
    pub out: Vec<u8>,
}

/// Names that come near those of the dialects and mean nothing.
const STRANGERS: [&str; 8] = [
    "note",
    "",
    "Finish_Reason",
    "finish_reason ",
    "finish_reasons",
    "\u{0}error",
    "stop_reasonstop_reasonstop_reasonstop_reasonstop_reasonstop_reasonstop_reason",
    "\u{1f980}",
];

/// What a stranger's value may be: everything that would matter if it were read.
const DECOYS: [&str; 10] = [
    "null",
    r#""\"finish_reason\":\"length\",\"error\":{\"message\":\"x\"}""#,
    r#"{"finish_reason":"length","choices":[{"index":7,"finish_reason":"length"}]}"#,
    r#"[{"error":{"message":"x","type":"server_error"}},[[]],{"usage":{"prompt_tokens":9}}]"#,
    r#"{"stop_reason":"refusal","stopReason":"refusal","finishReason":"SAFETY","done":true}"#,
    r#""}]}\\""#,
    r#""\\\\\\\"{[""#,
    "-1.25e+308",
    "123456789012345678901234567890123456789012345678901234567890",
    r#"{"":{"":[{"":"\\"},"]",{}]},"\"":"}"}"#,
];

impl Writer<'_, '_> {
    fn blanks(&mut self) {
        if self.entropy.one_in(12) {
            let blanks: &[&str] = if self.lines {
                &[" ", "\t", "\n", "\r\n", "\r", "  \n\n ", "\n \r"]
            } else {
                &[" ", "\t", "  ", " \t "]
            };
            self.out.extend_from_slice(self.entropy.pick(blanks).as_bytes());
        }
    }

    pub fn value(&mut self, value: &Json) {
        if let Json::Raw(bytes) = value {
            self.out.extend_from_slice(bytes);
            return;
        }
        self.blanks();
        match value {
            Json::Null => self.out.extend_from_slice(b"null"),
            Json::Bool(value) => self.out.extend_from_slice(value.to_string().as_bytes()),
            Json::Number(number) => self.out.extend_from_slice(number.as_bytes()),
            Json::Text(text) => self.string(text),
            Json::List(items) => {
                self.out.push(b'[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        self.out.push(b',');
                    }
                    self.value(item);
                }
                self.blanks();
                self.out.push(b']');
            }
            Json::Object(members) => self.members(members),
            Json::Raw(_) => {}
        }
        self.blanks();
    }

    fn members(&mut self, members: &[(String, Json)]) {
        self.out.push(b'{');
        let mut first = true;
        for (name, value) in members {
            if self.entropy.one_in(10) {
                let stranger = self.entropy.pick(&STRANGERS);
                let decoy = Json::Raw(self.entropy.pick(&DECOYS).as_bytes().to_vec());
                self.member(&mut first, stranger, &decoy);
            }
            // A null says nothing, before and behind the member that speaks.
            if self.entropy.one_in(40) {
                self.member(&mut first, name, &Json::Null);
            }
            self.member(&mut first, name, value);
        }
        self.blanks();
        self.out.push(b'}');
    }

    fn member(&mut self, first: &mut bool, name: &str, value: &Json) {
        if !std::mem::take(first) {
            self.out.push(b',');
        }
        self.blanks();
        self.string(name);
        self.blanks();
        self.out.push(b':');
        self.value(value);
    }

    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        let escapes = self.entropy.one_in(10);
        for character in text.chars() {
            let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
            if must && !character.is_control() && !escapes {
                self.out.extend_from_slice(format!("\\{character}").as_bytes());
            } else if must || (escapes && self.entropy.one_in(4)) {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    self.out.extend_from_slice(format!("\\u{unit:04X}").as_bytes());
                }
            } else {
                self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        self.out.push(b'"');
    }
}

/// A document that was read, and whether strict readers agree that it is one.
#[derive(Debug)]
pub struct Document {
    pub json: Json,
    /// Nothing in it is wrong by the letter: no number such as `01`, no string with a bare control
    /// character, an unknown escape, half a surrogate pair or broken UTF-8.
    pub strict: bool,
}

/// Reads a whole document. Strings may hold anything, and numbers any characters of numbers; for
/// the rest the grammar holds. Deeper than this recursion goes is `None`.
pub fn parse(bytes: &[u8]) -> Option<Document> {
    let mut parser = Parser { bytes, at: 0, strict: true };
    let json = parser.value(0)?;
    parser.blanks();
    (parser.at == bytes.len()).then_some(Document { json, strict: parser.strict })
}

/// Reads documents that follow each other, with or without something between them.
pub fn parse_many(bytes: &[u8]) -> Option<Vec<Json>> {
    let mut parser = Parser { bytes, at: 0, strict: true };
    let mut documents = Vec::new();
    parser.blanks();
    while parser.at < bytes.len() {
        documents.push(parser.value(0)?);
        parser.blanks();
    }
    Some(documents)
}

/// Whether the outermost object follows the grammar, and the containers inside are at least
/// balanced; an outermost list need only be balanced itself. It is all that is promised of a
/// document that is read by skipping.
pub fn is_shallow(bytes: &[u8]) -> bool {
    let mut parser = Parser { bytes, at: 0, strict: true };
    parser.blanks();
    let body = match parser.peek() {
        Some(b'{') => parser.outermost(),
        Some(b'[') => parser.balanced(),
        _ => None,
    };
    parser.blanks();
    body.is_some() && parser.at == bytes.len()
}

const MAX_DEPTH: usize = 100;

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    strict: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        (self.next()? == byte).then_some(())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.blanks();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Json::Text),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.at += 1;
        let mut members = Vec::new();
        self.blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Json::Object(members));
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.expect(b':')?;
            members.push((name, self.value(depth + 1)?));
            self.blanks();
            match self.next()? {
                b',' => {}
                b'}' => return Some(Json::Object(members)),
                _ => return None,
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.next()? {
                b',' => {}
                b']' => return Some(Json::List(items)),
                _ => return None,
            }
        }
    }

    fn scalar(&mut self) -> Option<Json> {
        let start = self.at;
        while !matches!(self.peek(), None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
        {
            self.at += 1;
        }
        let token = std::str::from_utf8(&self.bytes[start..self.at]).ok()?;
        match token {
            "null" => Some(Json::Null),
            "true" => Some(Json::Bool(true)),
            "false" => Some(Json::Bool(false)),
            _ => {
                let begins =
                    token.starts_with(|first: char| first == '-' || first.is_ascii_digit());
                let number = |byte: char| matches!(byte, '0'..='9' | '.' | 'e' | 'E' | '+' | '-');
                if !begins || !token.chars().all(number) {
                    return None;
                }
                self.strict &= serde_json::from_str::<serde_json::Number>(token).is_ok();
                Some(Json::Number(token.to_owned()))
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        if self.next()? != b'"' {
            return None;
        }
        let start = self.at - 1;
        loop {
            match self.next()? {
                b'\\' => {
                    self.next()?;
                }
                b'"' => break,
                _ => {}
            }
        }
        if let Ok(text) = serde_json::from_slice(&self.bytes[start..self.at]) {
            return Some(text);
        }
        // Readers differ in what they make of it; an empty text is no evidence for anything.
        self.strict = false;
        Some(String::new())
    }

    fn outermost(&mut self) -> Option<()> {
        self.at += 1;
        self.blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.blanks();
            self.string()?;
            self.expect(b':')?;
            self.blanks();
            match self.peek()? {
                b'{' | b'[' => self.balanced()?,
                b'"' => drop(self.string()?),
                _ => drop(self.scalar()?),
            }
            self.blanks();
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn balanced(&mut self) -> Option<()> {
        let mut depth = 0;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                // Counting takes a backslash for an escape everywhere; it hides what ends strings.
                b'\\' => {
                    self.at += 1;
                    if matches!(self.peek(), Some(b'"' | b'\\')) {
                        self.at += 1;
                    }
                }
                byte => {
                    self.at += 1;
                    depth += i32::from(matches!(byte, b'{' | b'['));
                    depth -= i32::from(matches!(byte, b'}' | b']'));
                    if depth == 0 {
                        return Some(());
                    }
                }
            }
        }
    }
}
