//! From bytes to fields: incremental, bounded, and without copies.
//!
//! Each scanner is fed with slices of any size and remembers only what a slice border cut in two.

pub(crate) mod block;
pub(crate) mod event_stream;
pub(crate) mod json;
pub(crate) mod shape;
pub(crate) mod sse;
pub(crate) mod template;
mod text;
