//! Events as base64 inside the string of another document (Bedrock Invoke), decoded as they pass.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use crate::scan::{
    json::{self, Sink},
    shape::Node,
};

/// How many characters are decoded at a time.
const CHUNK: usize = 1024;

/// Reads the document inside a base64 string that arrives in pieces.
#[derive(Debug)]
pub(crate) struct Embedded {
    reader: json::Reader,
    /// Characters that wait for the rest of their four.
    quad: [u8; 4],
    waiting: usize,
    /// A backslash was the last character.
    escape: bool,
    /// The padding has begun.
    padded: bool,
    /// Nothing is read behind what is not base64.
    broken: bool,
}

impl Embedded {
    pub(crate) fn new(root: &'static Node) -> Self {
        Self {
            reader: json::Reader::new(root, false),
            quad: [0; 4],
            waiting: 0,
            escape: false,
            padded: false,
            broken: false,
        }
    }

    /// Takes a piece as it stands in the outer document.
    pub(crate) fn feed(&mut self, raw: &[u8], sink: &mut impl Sink) {
        let mut chunk = [0; CHUNK];
        let mut len = std::mem::take(&mut self.waiting);
        chunk[..len].copy_from_slice(&self.quad[..len]);
        let mut wrong = false;
        for &byte in raw {
            // The only escape that anybody writes in base64 is the slash's.
            wrong |= std::mem::take(&mut self.escape) && byte != b'/';
            match byte {
                b'\\' => self.escape = true,
                b'=' => self.padded = true,
                _ => wrong |= self.padded,
            }
            if wrong {
                break;
            }
            if matches!(byte, b'\\' | b'=') {
                continue;
            }
            chunk[len] = byte;
            len += 1;
            if len == CHUNK {
                self.decode(&chunk, sink);
                len = 0;
            }
        }
        let whole = len - len % 4;
        self.decode(&chunk[..whole], sink);
        // Not before: what stands in front of it has been read, however it was split.
        self.broken |= wrong;
        self.waiting = len - whole;
        self.quad[..self.waiting].copy_from_slice(&chunk[whole..len]);
    }

    /// Ends the string; whether a whole document was in it.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) -> bool {
        let quad = self.quad;
        self.decode(&quad[..self.waiting], sink);
        let whole = self.reader.is_done() && !self.broken && !self.escape;
        self.reader.restart();
        (self.waiting, self.escape, self.padded, self.broken) = (0, false, false, false);
        whole
    }

    /// Decodes as far as it goes, so that what is read does not depend on where the pieces ended.
    fn decode(&mut self, characters: &[u8], sink: &mut impl Sink) {
        let mut bytes = [0; CHUNK / 4 * 3];
        if self.broken {
            return;
        }
        if let Ok(len) = STANDARD_NO_PAD.decode_slice(characters, &mut bytes) {
            self.reader.feed(&bytes[..len], sink);
            return;
        }
        for quad in characters.chunks(4) {
            match STANDARD_NO_PAD.decode_slice(quad, &mut bytes) {
                Ok(len) => self.reader.feed(&bytes[..len], sink),
                Err(_) => {
                    self.broken = true;
                    return;
                }
            }
        }
    }
}
