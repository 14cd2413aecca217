//! Keys, and where they come from.

use std::{env, fmt, fs, path::Path};

use http::HeaderValue;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Key, Provider};

/// A key of a provider, which is shown nowhere.
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// As a header, with what is in front of it. `None` if it has bytes that no header has.
    pub(crate) fn header(&self, before: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("{before}{}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn of_env(name: &str) -> Result<Self, String> {
        let key =
            env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?;
        Self::new(key, || format!("the environment variable {name}"))
    }

    fn of_file(path: &Path) -> Result<Self, String> {
        let name = || format!("the file {}", path.display());
        let key = fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", name()))?;
        Self::new(key, name)
    }

    fn new(key: String, from: impl Fn() -> String) -> Result<Self, String> {
        let key = key.trim().to_owned();
        match key.is_empty() {
            true => Err(format!("{} holds no key", from())),
            false => Ok(Self(key)),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Provider {
    /// Its keys; none if it needs none.
    pub(crate) fn secrets(&self) -> Result<Vec<Secret>, String> {
        let one = [
            self.key_env.as_deref().map(Secret::of_env),
            self.key_file.as_deref().map(Secret::of_file),
            self.key.clone().map(|key| Secret::new(key.0, || "`key`".to_owned())),
        ];
        let more = self.keys.iter().map(|key| match key {
            Key::Env(name) => Secret::of_env(name),
            Key::File(path) => Secret::of_file(path),
        });
        one.into_iter().flatten().chain(more).collect()
    }

    /// The files that its keys are in.
    pub(crate) fn key_files(&self) -> impl Iterator<Item = &Path> {
        let more = self.keys.iter().filter_map(|key| match key {
            Key::File(path) => Some(path.as_path()),
            Key::Env(_) => None,
        });
        self.key_file.as_deref().into_iter().chain(more)
    }
}

/// The SHA-256 of a key.
pub(crate) fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}
