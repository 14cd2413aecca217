//! Events as base64 inside the string of another document (Bedrock Invoke), decoded as they pass.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use crate::scan::{
    json::{self, Sink},
    shape::Node,
};

/// How much is decoded at a time.
const CHUNK: usize = 1024;

/// Reads the document inside a base64 string that arrives in pieces.
#[derive(Debug)]
pub(crate) struct Embedded {
    reader: json::Reader,
    /// Up to three characters that wait for their fourth.
    quad: [u8; 4],
    waiting: usize,
    broken: bool,
}

impl Embedded {
    pub(crate) fn new(root: &'static Node) -> Self {
        Self { reader: json::Reader::new(root, false), quad: [0; 4], waiting: 0, broken: false }
    }

    /// Takes a piece as it stands in the outer document.
    pub(crate) fn feed(&mut self, raw: &[u8], sink: &mut impl Sink) {
        let mut chunk = [0; CHUNK];
        let mut len = std::mem::take(&mut self.waiting);
        chunk[..len].copy_from_slice(&self.quad[..len]);
        for &byte in raw {
            // The only escape that base64 can need is the slash's; padding only stands at the end.
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
        self.waiting = len - whole;
        self.quad[..self.waiting].copy_from_slice(&chunk[whole..len]);
        // A document ends with a brace, so what waits for padding can be decoded at the end only
        // when the string is known to be over; see `finish`.
        self.tail(sink, raw.last() == Some(&b'='));
    }

    /// Ends the string; whether a whole document was in it.
    pub(crate) fn finish(&mut self) -> bool {
        let whole = self.reader.is_done() && !self.broken && self.waiting == 0;
        self.reader.restart();
        self.waiting = 0;
        self.broken = false;
        whole
    }

    fn tail(&mut self, sink: &mut impl Sink, padded: bool) {
        if padded && self.waiting > 0 {
            let quad = self.quad;
            let len = std::mem::take(&mut self.waiting);
            self.decode(&quad[..len], sink);
        }
    }

    fn decode(&mut self, characters: &[u8], sink: &mut impl Sink) {
        let mut bytes = [0; CHUNK / 4 * 3];
        match STANDARD_NO_PAD.decode_slice(characters, &mut bytes) {
            Ok(len) => self.reader.feed(&bytes[..len], sink),
            Err(_) => self.broken = true,
        }
    }
}
