//! A new file, while calls are on their way.
//!
//! All of it holds or nothing: a file that is wrong is told, and the one before it stays. Calls keep the gateway that they
//! began with, and what has not changed keeps its stacks.

use std::{
    fmt, fs,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    config::{self, Config, Unusable},
    gateway::Gateway,
};

/// The gateway that new calls go to.
pub(crate) struct Current(RwLock<Arc<Gateway>>);

impl Current {
    pub(crate) fn new(gateway: Gateway) -> Self {
        Self(RwLock::new(Arc::new(gateway)))
    }

    pub(crate) fn get(&self) -> Arc<Gateway> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, gateway: Gateway) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(gateway);
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

/// Looks at the file now and then, and at once when the process is told to.
pub(super) fn watch(
    current: Arc<Current>,
    path: PathBuf,
    look: Duration,
) -> impl Future<Output = ()> + Send {
    // Now, and not when the task has its first turn.
    let files = files(&path, current.get().config());
    let looks = Looks::new(stamps(&files));
    watch_from(current, path, look, files, looks)
}

async fn watch_from(
    current: Arc<Current>,
    path: PathBuf,
    look: Duration,
    mut files: Vec<PathBuf>,
    mut looks: Looks,
) {
    let mut ticks = interval(look);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Told::new();
    loop {
        let is_told = tokio::select! {
            _ = ticks.tick() => false,
            () = told.next() => true,
        };
        // Before it is read: what is written meanwhile is seen the next time.
        let now = stamps(&files);
        if !looks.is_due(now) && !is_told {
            continue;
        }
        let file = stamp(&path);
        let new = config::read(&path);
        if let Ok(new) = &new {
            // Also when it cannot be served: what it lacks may be a key that comes later.
            files = self::files(&path, new);
        }
        let mut read = stamps(&files);
        read[0] = file;
        looks = Looks::new(read);
        reload(&current, &path, new);
    }
}

/// What was seen of the files, and what was read of them.
///
/// An editor or a copy writes a file in steps, and half of one may well be a file, without its `[[clients]]` for one. So
/// it is read when it has stayed the same from one look to the next.
struct Looks {
    read: Vec<Stamp>,
    last: Vec<Stamp>,
}

impl Looks {
    fn new(read: Vec<Stamp>) -> Self {
        Self { last: read.clone(), read }
    }

    /// Whether there is something new, and all of it.
    fn is_due(&mut self, now: Vec<Stamp>) -> bool {
        let is_settled = now == self.last;
        self.last = now;
        is_settled && self.last != self.read
    }
}

fn reload(current: &Current, path: &Path, new: Result<Config, Unusable>) {
    let old = current.get();
    let new = new.and_then(|mut config| {
        if config.providers.is_empty() || config.models.is_empty() {
            // A file that has only just been begun, most likely.
            return Err(Unusable::Unfit("there are no providers or no models in it".into()));
        }
        if config.listen != old.config().listen {
            tracing::warn!("`listen` is the same until the next start");
            config.listen = old.config().listen;
        }
        let warnings = config.warnings();
        Ok((Gateway::new(config, old.client().clone(), Some(&old))?, warnings))
    });
    match new {
        Ok((gateway, warnings)) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            current.set(gateway);
            tracing::info!(config = %path.display(), "read again");
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            let source = source.unwrap_or_default();
            tracing::error!("{}: {error}{source}; the one before it stays", path.display());
        }
    }
}

/// What tells that a file was changed. Of one that is not there, nothing.
type Stamp = Option<(SystemTime, u64)>;

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| stamp(file)).collect()
}

/// The file itself, and those that it has keys in.
fn files(path: &Path, config: &Config) -> Vec<PathBuf> {
    let keys = config.providers.values().flat_map(config::Provider::key_files);
    std::iter::once(path).chain(keys).map(Path::to_owned).collect()
}

/// Whether the process is told to read its file again.
struct Told(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl Told {
    #[cfg(unix)]
    fn new() -> Self {
        Self(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok())
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self()
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.0 {
            if signal.recv().await.is_some() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_written_is_not_read() {
        let size = |size| vec![Some((SystemTime::UNIX_EPOCH, size))];
        let mut looks = Looks::new(size(10));
        for (now, expected) in
            [(10, false), (0, false), (5, false), (12, false), (12, true), (10, false), (10, false)]
        {
            assert_eq!(looks.is_due(size(now)), expected, "{now}");
        }
    }
}
