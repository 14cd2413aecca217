//! The official SDKs of OpenAI and Anthropic, unmodified, as clients.
//!
//! `cargo xtask test` installs them into a folder of its own and runs this; a plain `cargo test` leaves it out.

mod client;
mod direct;
mod through;
