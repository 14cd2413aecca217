//! Telling an output that broke from an input that is wrong.

use std::{io, path::PathBuf};

/// The output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the output")]
pub struct CannotWrite(#[from] io::Error);

impl CannotWrite {
    /// Whether the reader went away, as `head` does when it has seen enough: no failure of ours.
    pub fn reader_left(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct UnwrittenFile {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

/// The lab has found figures that do not hold.
#[derive(Debug, thiserror::Error)]
#[error("{count} figures do not hold:{list}")]
pub struct Missed {
    pub(crate) count: usize,
    pub(crate) list: String,
}
