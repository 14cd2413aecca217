//! A provider that misbehaves on purpose.
//!
//! Nobody can test against a real outage. This crate answers like a provider of LLM APIs, in every
//! dialect that [`battlement_core`] reads, and fails when it is told to.
//!
//! * [`answer`]: what a provider says to one request, byte by byte.
//! * [`capacity`]: what a provider can do at most, and what becomes of calls beyond that.

pub mod answer;
pub mod capacity;
