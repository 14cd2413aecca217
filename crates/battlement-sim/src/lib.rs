//! A provider that misbehaves on purpose.
//!
//! Nobody can test against a real outage. This crate answers like a provider of LLM APIs, in every
//! dialect that [`battlement_core`] reads, and fails when it is told to.
//!
//! * [`answer`]: what a provider says to one request, byte by byte.
//! * [`script`]: what it does to one call after the other.
//! * [`provider`]: the provider as a Tower service in memory, and the record of what it saw.
//! * [`quota`]: limits per minute that are enforced for real.
//! * `serve`: the same provider on a socket, over HTTP/1.1 and HTTP/2.

pub mod answer;
pub mod provider;
pub mod quota;
pub mod script;
#[cfg(feature = "serve")]
pub mod serve;

#[doc(inline)]
pub use provider::Provider;
#[doc(inline)]
pub use quota::Quota;
#[doc(inline)]
pub use script::{Script, Step};
