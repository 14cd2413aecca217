//! What the gateway is told in its file, as types that cannot hold nonsense.
//!
//! A setting that is misspelt and silently ignored is found in an incident. So what is not known is an error
//! with its line and the word that was most likely meant (`read`), what has no meaning cannot be
//! written ([`Time`], [`Limit`]), and what is allowed and hardly meant is a warning (`check`). Every default is explained in
//! `docs/gateway/configuration.md`, and a test compares that page with these types.

mod check;
mod kind;
mod read;
mod secret;
#[cfg(test)]
mod tests;
mod values;

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU64, path::PathBuf};

use serde::Deserialize;
use toml::Spanned;

pub use kind::{Family, Kind};
pub use read::{Unusable, parse, read};
pub use secret::Secret;
pub(crate) use secret::digest;
pub use values::{Digest, Limit, Size, Time};

/// The whole file.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where clients come in.
    pub listen: SocketAddr,
    /// What is written for each call.
    pub log: Log,
    /// What a client may take of the gateway itself.
    pub server: Server,
    /// What calls may expect, by how urgent they are.
    pub classes: Classes,
    /// Who answers, by the name that routes call them.
    pub providers: BTreeMap<String, Provider>,
    /// What clients may ask for, and where it goes.
    pub models: Vec<Model>,
    /// Who may ask. Without any, everybody who can reach the address.
    pub clients: Vec<Client>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            log: Log::default(),
            server: Server::default(),
            classes: Classes::default(),
            providers: BTreeMap::new(),
            models: Vec::new(),
            clients: Vec::new(),
        }
    }
}

/// What is written to standard error for each call.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Log {
    /// A line for people.
    #[default]
    Text,
    /// A line for programs.
    Json,
    /// Nothing for calls that went well or badly; only what concerns the gateway itself.
    Off,
}

/// What a client may take of the gateway itself.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The largest body of a request.
    pub max_body: Size,
    /// The largest head of a request.
    pub max_head: Size,
    /// How long the head of a request may take.
    pub head_time: Time,
    /// How long the body of a request may take.
    pub body_time: Time,
    /// How long answers may go on once the gateway was told to end.
    pub drain_time: Time,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            max_body: Size::mebibytes(32),
            max_head: Size::kibibytes(64),
            head_time: Time::seconds(30),
            body_time: Time::seconds(60),
            drain_time: Time::seconds(30),
        }
    }
}

/// What calls may expect, by how urgent they are.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// Somebody is watching. What a call is that says nothing.
    pub interactive: Class,
    /// Somebody waits for the result, but not for this call.
    pub deferred: Class,
    /// Nobody waits.
    pub batch: Class,
}

/// What a call in a class may expect; what is left out is as the lanes of the library have it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Class {
    /// How long the answer is of use, from the beginning of the call.
    pub time: Option<Limit>,
    /// How often a call is tried, the first attempt included.
    pub attempts: Option<u32>,
    /// How long a call may wait between its attempts, all waits together.
    pub waiting: Option<Time>,
}

/// Who answers.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Whose API it is: known habits, the usual address, and how a key is sent.
    pub kind: Kind,
    /// The address, up to what is before `/v1`. That of the kind if left out.
    pub base_url: Option<Spanned<String>>,
    /// Which APIs it has. Those of the kind if left out.
    pub speaks: Option<Vec<Family>>,
    /// The environment variable that has the key.
    pub key_env: Option<String>,
    /// The file that has the key.
    pub key_file: Option<PathBuf>,
    /// The key itself: for keys that are none, as it is read by everybody who reads the file.
    pub key: Option<Secret>,
    /// Several keys, each with limits of its own.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Sends the key that the client has brought.
    #[serde(default)]
    pub pass_key: bool,
    /// Limits, for each key and all models together.
    #[serde(default)]
    pub limits: Limits,
    /// How much all calls together may be tried again.
    #[serde(default)]
    pub retries: Retries,
    /// How long an attempt may take.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// Where a key is. Exactly one of them.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Key {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(PathBuf),
}

/// Limits that hold for each key of a provider. What is left out is learnt from its answers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests in a minute.
    pub requests_per_minute: Option<NonZeroU64>,
    /// Tokens in a minute, input and output together.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Answers that are written at once.
    pub concurrency: Option<std::num::NonZeroU32>,
}

/// How much all calls to a provider may be tried again, with whatever key, and whatever each of them may.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Retries {
    /// Repetitions for each call.
    pub share: f64,
    /// Repetitions that are there from the beginning.
    pub reserve: f64,
}

impl Default for Retries {
    fn default() -> Self {
        // A gateway stands for all who call through it, where the library counts on one program.
        Self { share: 0.1, reserve: 10.0 }
    }
}

/// How long an attempt may take; what is left out is as the library has it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To the head of a streamed answer.
    pub head: Option<Limit>,
    /// To the first word of a streamed answer.
    pub first_output: Option<Limit>,
    /// Between two pieces of an answer.
    pub idle: Option<Limit>,
    /// To the end of an answer.
    pub total: Option<Limit>,
}

/// What clients may ask for, and where it goes.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What clients call it. With a `*` at its end, all that begin so.
    pub name: Spanned<String>,
    /// Where it goes: to the first, and to the next if that cannot serve a call.
    pub to: Spanned<Vec<Target>>,
}

/// A place where a model is.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name of the provider.
    pub provider: Spanned<String>,
    /// What the provider calls the model. As the client has, if left out.
    pub model: Option<String>,
    /// No more output than this is asked for.
    pub max_output_tokens: Option<NonZeroU64>,
    /// Members of a request that this provider does not take, and that are left out.
    #[serde(default)]
    pub without: Vec<String>,
}

/// Who may ask.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The name in logs. Those who wait for the same limit take turns by it.
    pub name: Spanned<String>,
    /// The SHA-256 of the key, in hexadecimal digits.
    pub key_sha256: Digest,
    /// Requests in a minute.
    pub requests_per_minute: Option<NonZeroU64>,
}
