//! A manifest: a list of captured answers, each with its head.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, bail};
use battlement_core::{Dialect, Provider};
use serde::Deserialize;

use super::head::{Head, named_header, status};

/// A manifest that has been checked: every file is there, every dialect is known.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// The moment that dates in the answers are relative to.
    pub(crate) now: SystemTime,
    pub(crate) captures: Vec<Capture>,
    /// Providers that nobody has heard of.
    pub(crate) strangers: BTreeSet<String>,
}

/// One captured answer.
#[derive(Debug)]
pub(crate) struct Capture {
    /// As the manifest names it.
    pub(crate) file: String,
    pub(crate) path: PathBuf,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) provider: Option<Provider>,
    pub(crate) endpoint: Option<String>,
    pub(crate) head: Head,
    pub(crate) stream: bool,
}

/// The manifest as it is written. What it expects is not for us.
#[derive(Deserialize)]
struct Written {
    reference_now: Option<ReferenceNow>,
    fixtures: Vec<Entry>,
}

#[derive(Deserialize)]
struct ReferenceNow {
    unix: u64,
}

#[derive(Deserialize)]
struct Entry {
    file: String,
    dialect: Option<String>,
    provider: Option<String>,
    endpoint: Option<String>,
    status: Option<i64>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    stream: bool,
}

impl Manifest {
    /// Reads and checks a manifest, so that nothing is printed before all of it is known to be good.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let text = fs::read(path).with_context(|| format!("cannot read {name}"))?;
        let written: Written = serde_json::from_slice(&text)
            .with_context(|| format!("{name} is not a manifest of captures"))?;
        let now = match written.reference_now {
            None => SystemTime::now(),
            Some(ReferenceNow { unix }) => SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_secs(unix))
                .with_context(|| format!("{name}: `reference_now` is too far in the future"))?,
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let providers = written.fixtures.iter().filter_map(|entry| entry.provider.as_ref());
        let is_stranger = |name: &&String| name.parse::<Provider>().is_err();
        let strangers = providers.filter(is_stranger).cloned().collect();
        let captures = written.fixtures.into_iter().map(|entry| {
            let file = entry.file.clone();
            Capture::check(entry, folder).with_context(|| format!("{name}: fixture `{file}`"))
        });
        Ok(Self { now, captures: captures.collect::<anyhow::Result<_>>()?, strangers })
    }
}

impl Capture {
    fn check(entry: Entry, folder: &Path) -> anyhow::Result<Self> {
        let mut head = Head::default();
        if let Some(code) = entry.status {
            head.status = status(&code.to_string())?;
        }
        for (name, value) in &entry.headers {
            let (name, value) = named_header(name.as_bytes(), value.trim().as_bytes())?;
            head.append(name, value)?;
        }
        let path = folder.join(&entry.file);
        if !fs::metadata(&path)
            .with_context(|| format!("cannot open {}", path.display()))?
            .is_file()
        {
            bail!("{} is not a file", path.display());
        }
        Ok(Self {
            file: entry.file,
            path,
            dialect: entry.dialect.map(|name| name.parse()).transpose()?,
            provider: entry.provider.map(|name| name.parse().unwrap_or(Provider::Generic)),
            endpoint: entry.endpoint,
            head,
            stream: entry.stream,
        })
    }
}
