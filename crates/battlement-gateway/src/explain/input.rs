//! Reading an answer in pieces, however large it is.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context as _, bail};

use super::head::Head;

/// How much is read at once, and how much of the start is there to guess from.
const PIECE: usize = 64 * 1024;

/// How long a head may be; servers allow no more than this by far.
const LONGEST_HEAD: usize = 256 * 1024;

/// An answer to be read.
pub(crate) struct Input {
    name: String,
    source: Box<dyn Read>,
    /// What has been read ahead, and whether that is everything.
    start: Vec<u8>,
    ended: bool,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Self::new("standard input".to_owned(), Box::new(io::stdin()));
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
        Self::new(name, Box::new(file))
    }

    fn new(name: String, source: Box<dyn Read>) -> anyhow::Result<Self> {
        let mut input = Self { name, source, start: Vec::new(), ended: false };
        input.read_ahead(PIECE)?;
        Ok(input)
    }

    /// What to call it in a message.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The first bytes that have not been taken yet: a piece of them, or all that there are.
    pub(crate) fn start(&self) -> &[u8] {
        &self.start
    }

    /// Takes status line and headers away, when the input is a whole HTTP answer.
    ///
    /// There can be several: of a proxy, of a 100 Continue, of redirects. The last one counts.
    pub(crate) fn take_head(&mut self) -> anyhow::Result<Option<Head>> {
        let mut last = None;
        while Head::begins(&self.start) {
            self.read_ahead(LONGEST_HEAD)?;
            let len = match Head::len(&self.start) {
                Some(len) => len,
                // An answer without a body, its empty line lost to an editor.
                None if self.ended && self.start.len() < LONGEST_HEAD => self.start.len(),
                None => bail!("{}: the headers have no end within 256 KiB", self.name),
            };
            let head = Head::parse(&self.start[..len]).with_context(|| self.name.clone())?;
            last = Some(head);
            self.start.drain(..len);
            self.read_ahead(PIECE)?;
        }
        Ok(last)
    }

    /// Shows all of what is left, piece by piece.
    pub(crate) fn for_each_piece(mut self, mut show: impl FnMut(&[u8])) -> anyhow::Result<()> {
        show(&self.start);
        let mut piece = self.start;
        piece.resize(PIECE, 0);
        while !self.ended {
            match self.source.read(&mut piece) {
                Ok(0) => self.ended = true,
                Ok(len) => show(&piece[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", self.name));
                }
            }
        }
        Ok(())
    }

    fn read_ahead(&mut self, len: usize) -> anyhow::Result<()> {
        let missing = len.saturating_sub(self.start.len());
        if missing > 0 && !self.ended {
            let mut source = (&mut self.source).take(missing as u64);
            let read = source
                .read_to_end(&mut self.start)
                .with_context(|| format!("cannot read {}", self.name))?;
            self.ended = read < missing;
        }
        Ok(())
    }
}
