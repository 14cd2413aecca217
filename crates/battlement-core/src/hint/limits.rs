//! Every rate-limit header family in one type.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName};

use super::{Hint, Source, ietf, vendor};
use crate::Provider;

/// What a window counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dimension {
    /// Requests.
    Requests,
    /// Tokens: of the prompt, of the answer, or both.
    Tokens,
    /// Something else, or it is not told.
    #[default]
    Other,
}

/// One limit as a provider states it; what it does not state is `None`.
///
/// The figures are of the moment the provider wrote them. Answers overtake each other, so an older
/// one can show more remaining than a newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// What is counted.
    pub dimension: Dimension,
    /// How much fits in one window.
    pub limit: Option<u64>,
    /// How much is left. Anthropic rounds it to thousands of tokens.
    pub remaining: Option<u64>,
    /// When the window is full again, counted from when the answer was sent; in whole
    /// milliseconds, rounded up, and zero when it is past.
    pub reset: Option<Duration>,
    /// How long a window is.
    pub period: Option<Duration>,
}

impl Window {
    fn is_exhausted(&self) -> bool {
        self.remaining == Some(0)
    }
}

/// The rate limits an answer reports.
///
/// Windows have names: `requests`, `tokens`, `input_tokens`, `output_tokens`, `project_tokens` and
/// the like where the header says what is counted, `default` where it does not, and the provider's
/// own name where the limit is an IETF policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    entries: Vec<Entry>,
}

impl RateLimits {
    /// Reads all families; resets are counted from `sent`, in nanoseconds since 1970.
    pub(super) fn read(headers: &HeaderMap, provider: Provider, sent: i128) -> Self {
        let mut limits = Self::default();
        // Every family has the word in all its names; most answers of most servers end here.
        let names: Vec<&str> =
            headers.keys().map(HeaderName::as_str).filter(|name| name.contains("limit")).collect();
        if !names.is_empty() {
            vendor::read(headers, &names, provider, sent, &mut limits);
            ietf::read(headers, sent, &mut limits);
        }
        limits
    }

    /// Whether the answer reports no limits at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The window of that name.
    pub fn get(&self, name: &str) -> Option<&Window> {
        self.iter().find(|(known, _)| *known == name).map(|(_, window)| window)
    }

    /// All windows and their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Window)> {
        self.entries.iter().map(|entry| (&*entry.name, &entry.window))
    }

    /// What has run out, if anything has; of several, what takes longest to come back.
    pub fn exhausted(&self) -> Option<Dimension> {
        let exhausted =
            self.entries.iter().filter(|entry| entry.binding && entry.window.is_exhausted());
        longest(exhausted).map(|entry| entry.window.dimension)
    }

    /// The hint of whichever window is exhausted, vendor's headers first.
    pub(super) fn wait(&self) -> Option<Hint> {
        self.vendor_wait().or_else(|| self.standard_wait())
    }

    /// The hint of an exhausted window told by vendor headers.
    pub(super) fn vendor_wait(&self) -> Option<Hint> {
        self.family_wait(Family::Vendor)
    }

    /// The hint of an exhausted window told by IETF fields, the current draft first.
    pub(super) fn standard_wait(&self) -> Option<Hint> {
        self.family_wait(Family::Standard).or_else(|| self.family_wait(Family::OlderDraft))
    }

    /// Waits for the last of the exhausted windows.
    ///
    /// Some providers send a reset only when it is needed, and nothing else. So when not one window
    /// says what remains, the resets stand for themselves; the earliest of them, since it is
    /// unknown which window ran out, and a wait too short costs no more than one try.
    fn family_wait(&self, family: Family) -> Option<Hint> {
        let resets = self.entries.iter().filter(|entry| {
            entry.family == family
                && entry.binding
                && entry.window.reset.is_some_and(|reset| !reset.is_zero())
        });
        let entry = if self.entries.iter().any(|entry| entry.window.remaining.is_some()) {
            longest(resets.filter(|entry| entry.window.is_exhausted()))
        } else {
            resets.min_by_key(|entry| entry.window.reset)
        }?;
        Some(Hint { after: entry.window.reset?, source: entry.source })
    }

    /// Adds a window, unless it says nothing.
    ///
    /// Of several with one name the first counts, or the first that is exhausted: partitions of one
    /// policy share its name, and gateways tell their own limits beside those they pass on.
    pub(super) fn add(&mut self, entry: Entry) {
        let Window { limit, remaining, reset, .. } = entry.window;
        if limit.is_none() && remaining.is_none() && reset.is_none() {
            return;
        }
        match self.entries.iter_mut().find(|known| known.name == entry.name) {
            None => self.entries.push(entry),
            Some(known) if entry.window.is_exhausted() && !known.window.is_exhausted() => {
                *known = entry;
            }
            Some(_) => {}
        }
    }
}

/// The entry with the latest reset, and the first of equals.
fn longest<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<&'a Entry> {
    entries.reduce(|best, entry| if entry.window.reset > best.window.reset { entry } else { best })
}

/// Whose headers told a window; a hint prefers the vendor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Vendor,
    Standard,
    OlderDraft,
}

/// A window and how it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Cow<'static, str>,
    pub(super) window: Window,
    pub(super) family: Family,
    /// What a hint from its reset is called.
    pub(super) source: Source,
    /// Whether calls fail once it is exhausted.
    pub(super) binding: bool,
}
