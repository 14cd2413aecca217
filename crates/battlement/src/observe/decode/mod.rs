//! Undoes the encoding of an answer for its reader, while the bytes pass by as they are.
//!
//! A few kilobytes of compressed zeros decode into gigabytes. The reader keeps nothing of them, but they
//! take its time, which is the caller's: so what is decoded is bounded, by what was sent and on the
//! whole, and of an answer that goes beyond nothing more is read.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use battlement_core::{Reader, Signals};
use http::{HeaderMap, header};

/// How much may come out for each byte that goes in. The text of models, repeated envelopes of events
/// included, is packed to a twentieth or fiftieth.
const MOST_RATIO: u64 = 100;

/// So much may come out in any case: of short answers the ratio says little.
const FREE: u64 = 1 << 20;

/// The most that comes out of one answer. The largest are lists of vectors, of 100 MB and more.
const MOST: u64 = 256 << 20;

/// A window of 8 MiB, the largest that RFC 9659 allows on the web.
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// The encodings of an answer, the one to be undone last first.
pub(super) fn encodings(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONTENT_ENCODING).into_iter();
    // One that is no text is none that we know.
    let names = values.flat_map(|value| value.to_str().unwrap_or("?").split(','));
    let names = names.map(str::trim);
    names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
}

/// A reader behind a decoder.
pub(super) struct Decoder(Box<dyn Decode + Send + Sync>);

/// The encoded bytes are damaged, or too many bytes come out of them.
#[derive(Debug)]
pub(super) struct Undecodable;

impl Decoder {
    /// Puts a reader behind the decoder of this name; gives it back where there is none.
    pub(super) fn new(encoding: &str, reader: Reader) -> Result<Self, Box<Reader>> {
        let sink = Sink { reader: Some(reader), signals: Signals::default(), taken: 0, given: 0 };
        #[cfg(feature = "gzip")]
        if ["gzip", "x-gzip"].iter().any(|name| encoding.eq_ignore_ascii_case(name)) {
            return Ok(Self(Box::new(flate2::write::GzDecoder::new(sink))));
        }
        #[cfg(feature = "br")]
        if encoding.eq_ignore_ascii_case("br") {
            let decoder = brotli_decompressor::DecompressorWriter::new(sink, 16 * 1024);
            return Ok(Self(Box::new(decoder)));
        }
        #[cfg(feature = "zstd")]
        if encoding.eq_ignore_ascii_case("zstd") {
            use zstd::stream::{raw, zio};
            let limited = raw::Decoder::new().and_then(|mut decoder| {
                decoder.set_parameter(raw::DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
                Ok(decoder)
            });
            if let Ok(decoder) = limited {
                return Ok(Self(Box::new(zio::Writer::new(sink, decoder))));
            }
        }
        let _unknown = encoding;
        Err(Box::new(sink.reader.expect("it was just put there")))
    }

    /// Shows the reader what comes out of the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Signals, Undecodable> {
        if bytes.first().is_some_and(|&byte| self.0.sink().taken == 0 && !self.0.begins(byte)) {
            return Err(Undecodable);
        }
        self.0.sink().taken += bytes.len() as u64;
        // An event is to be seen with the slice that ends it, so nothing may stay behind.
        let result = self.0.write_all(bytes).and_then(|()| self.0.flush());
        match result {
            Ok(()) => Ok(std::mem::take(&mut self.0.sink().signals)),
            Err(_) => Err(Undecodable),
        }
    }

    /// The reader; `None` if it was taken before.
    pub(super) fn reader(&mut self) -> Option<&mut Reader> {
        self.0.sink().reader.as_mut()
    }

    /// Takes the reader out.
    pub(super) fn into_reader(mut self) -> Option<Reader> {
        self.0.sink().reader.take()
    }
}

/// Where decoded bytes go.
struct Sink {
    /// `None` at the end: some decoders write what they have left when they are dropped.
    reader: Option<Reader>,
    signals: Signals,
    /// Bytes that went in, and that came out.
    taken: u64,
    given: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(reader) = &mut self.reader else { return Ok(bytes.len()) };
        self.given += bytes.len() as u64;
        if self.given > (FREE + self.taken.saturating_mul(MOST_RATIO)).min(MOST) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let signals = reader.feed(bytes);
        self.signals = Signals::from_bits(self.signals.bits() | signals.bits());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A decoder that writes into a sink.
trait Decode: Write {
    fn sink(&mut self) -> &mut Sink;

    /// Whether the bytes of an encoding can begin like this.
    fn begins(&self, _byte: u8) -> bool {
        true
    }
}

#[cfg(feature = "gzip")]
impl Decode for flate2::write::GzDecoder<Sink> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut()
    }
}

#[cfg(feature = "br")]
impl Decode for brotli_decompressor::DecompressorWriter<Sink> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut()
    }

    /// The decoder takes windows of up to a gigabyte, too, which have this mark. In RFC 7932, 9.1, which
    /// ends at 16 MiB, it is invalid.
    fn begins(&self, byte: u8) -> bool {
        byte & 0x7f != 0x11
    }
}

#[cfg(feature = "zstd")]
impl Decode for zstd::stream::zio::Writer<Sink, zstd::stream::raw::Decoder<'static>> {
    fn sink(&mut self) -> &mut Sink {
        self.writer_mut()
    }
}
