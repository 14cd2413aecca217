//! Who may ask, and how often.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use battlement_core::{
    Code,
    bucket::{Bucket, Rate, Refused},
};
use subtle::ConstantTimeEq as _;

use crate::config::{Client, digest};

/// The clients of the configuration.
#[derive(Debug, Default)]
pub(super) struct Clients(Vec<Known>);

#[derive(Debug)]
struct Known {
    name: String,
    digest: [u8; 32],
    /// What it may still ask in this minute.
    bucket: Option<Mutex<Bucket>>,
}

/// Why a request is turned away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) code: Code,
    pub(super) message: &'static str,
    pub(super) retry_after: Option<Duration>,
}

impl Clients {
    pub(super) fn new(clients: &[Client], now: Instant) -> Self {
        let known = clients.iter().map(|client| Known {
            name: client.name.as_ref().clone(),
            digest: client.key_sha256.0,
            bucket: client
                .requests_per_minute
                .and_then(|amount| Rate::new(amount.get(), Duration::from_secs(60)).ok())
                .map(|rate| Mutex::new(Bucket::new(rate, now))),
        });
        Self(known.collect())
    }

    /// The name of whoever has this key; `None` if everybody may ask.
    pub(super) fn admit(&self, key: Option<&[u8]>, now: Instant) -> Result<Option<&str>, Denied> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let denied = |code, message| Denied { code, message, retry_after: None };
        let key = key.ok_or(denied(
            Code::MissingKey,
            "this gateway asks for a key, and the request has none",
        ))?;
        let digest = digest(key);
        // All are compared, each in the same time: how long it takes tells nothing about a key.
        let mut found = None;
        for known in &self.0 {
            if bool::from(known.digest.ct_eq(&digest)) {
                found = Some(known);
            }
        }
        let known = found
            .ok_or(denied(Code::InvalidKey, "this gateway does not know the key of the request"))?;
        if let Some(bucket) = &known.bucket {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.take(1, now).map_err(|refused| Denied {
                code: Code::LimitReached,
                message: "the key has used up its requests for this minute",
                retry_after: match refused {
                    Refused::Until(at) => Some(at.saturating_duration_since(now)),
                    _ => None,
                },
            })?;
        }
        Ok(Some(&known.name))
    }
}
