//! Amazon's binary event stream, in slices of any size.
//!
//! Frames carry two checksums. A frame that fails one breaks the stream: nothing behind it is
//! decoded, and nothing inside it has been believed, because a frame counts when its last byte has
//! been checked. An announced length over the limits breaks the stream at once, so that a hostile
//! four gigabytes are neither waited for nor allocated.

use crc32fast::Hasher;

/// The most that one frame's headers may take, as in Amazon's own decoders.
pub(crate) const MAX_HEADERS: usize = 128 * 1024;
/// The most that one frame's payload may take, likewise.
pub(crate) const MAX_PAYLOAD: usize = 24 * 1024 * 1024;

/// Takes the parts of frames as they pass.
pub(crate) trait Frames {
    /// A header with a string value.
    fn header(&mut self, name: &str, value: &str);
    /// A piece of the payload.
    fn payload(&mut self, bytes: &[u8]);
    /// The frame is complete and its checksum is right.
    fn frame(&mut self);
}

/// The state of a reader between two slices.
#[derive(Debug)]
pub(crate) struct Reader {
    part: Part,
    /// What a slice border cut: the prelude, the headers or the trailer.
    partial: Vec<u8>,
    checksum: Hasher,
    payload_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Prelude,
    Headers { len: usize },
    Payload { left: usize },
    Trailer,
    Broken,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { part: Part::Prelude, partial: Vec::new(), checksum: Hasher::new(), payload_len: 0 }
    }

    /// Whether a checksum, a length or a header was wrong.
    pub(crate) fn is_broken(&self) -> bool {
        self.part == Part::Broken
    }

    /// Reads on.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], frames: &mut impl Frames) {
        while !bytes.is_empty() || matches!(self.part, Part::Headers { len: 0 }) {
            match self.part {
                Part::Prelude => {
                    let Some(prelude) = self.gather(&mut bytes, 12) else { return };
                    self.part = self.prelude(&prelude);
                }
                Part::Headers { len } => {
                    let Some(headers) = self.gather(&mut bytes, len) else { return };
                    self.checksum.update(&headers);
                    self.part = match read_headers(&headers, frames) {
                        Some(()) if self.payload_len == 0 => Part::Trailer,
                        Some(()) => Part::Payload { left: self.payload_len },
                        None => Part::Broken,
                    };
                }
                Part::Payload { left } => {
                    let (payload, rest) = bytes.split_at(left.min(bytes.len()));
                    self.checksum.update(payload);
                    frames.payload(payload);
                    bytes = rest;
                    self.part = match left - payload.len() {
                        0 => Part::Trailer,
                        left => Part::Payload { left },
                    };
                }
                Part::Trailer => {
                    let Some(trailer) = self.gather(&mut bytes, 4) else { return };
                    let checksum = std::mem::take(&mut self.checksum).finalize();
                    if be_u32(&trailer) != checksum {
                        self.part = Part::Broken;
                        return;
                    }
                    frames.frame();
                    self.part = Part::Prelude;
                }
                Part::Broken => return,
            }
        }
    }

    /// The next `len` bytes, once they are all there.
    fn gather<'a>(&mut self, bytes: &mut &'a [u8], len: usize) -> Option<Gathered<'a>> {
        if self.partial.is_empty() && bytes.len() >= len {
            let (whole, rest) = bytes.split_at(len);
            *bytes = rest;
            return Some(Gathered::Slice(whole));
        }
        let (part, rest) = bytes.split_at((len - self.partial.len()).min(bytes.len()));
        self.partial.extend_from_slice(part);
        *bytes = rest;
        (self.partial.len() == len).then(|| Gathered::Copy(std::mem::take(&mut self.partial)))
    }

    fn prelude(&mut self, prelude: &[u8]) -> Part {
        let total = be_u32(prelude) as usize;
        let headers = be_u32(&prelude[4..]) as usize;
        let mut checksum = Hasher::new();
        checksum.update(&prelude[..8]);
        if checksum.clone().finalize() != be_u32(&prelude[8..]) || headers > MAX_HEADERS {
            return Part::Broken;
        }
        let Some(payload) = total.checked_sub(headers + 16).filter(|len| *len <= MAX_PAYLOAD)
        else {
            return Part::Broken;
        };
        checksum.update(&prelude[8..]);
        self.checksum = checksum;
        self.payload_len = payload;
        Part::Headers { len: headers }
    }
}

enum Gathered<'a> {
    Slice(&'a [u8]),
    Copy(Vec<u8>),
}

impl std::ops::Deref for Gathered<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Slice(slice) => slice,
            Self::Copy(copy) => copy,
        }
    }
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn read_headers(mut bytes: &[u8], frames: &mut impl Frames) -> Option<()> {
    while !bytes.is_empty() {
        let (name_len, rest) = bytes.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*name_len))?;
        let (kind, rest) = rest.split_first()?;
        let (value_len, rest) = match kind {
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            5 | 8 => (8, rest),
            9 => (16, rest),
            6 | 7 => {
                let (len, rest) = rest.split_at_checked(2)?;
                (usize::from(len[0]) << 8 | usize::from(len[1]), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(value_len)?;
        if *kind == 7 {
            if let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(value)) {
                frames.header(name, value);
            }
        }
        bytes = rest;
    }
    Some(())
}
