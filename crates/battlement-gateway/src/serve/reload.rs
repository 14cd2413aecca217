//! A new file, while calls are on their way.
//!
//! All of it holds or nothing: a file that is wrong is told, and the one before it stays. Calls keep the gateway that they
//! began with, and what has not changed keeps its stacks.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    config::{self, Config},
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
pub(super) async fn watch(current: Arc<Current>, path: PathBuf, look: Duration) {
    let mut ticks = interval(look);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Told::new();
    let mut seen = stamps(&path, current.get().config());
    loop {
        let is_told = tokio::select! {
            _ = ticks.tick() => false,
            () = told.next() => true,
        };
        let now = stamps(&path, current.get().config());
        if !is_told && now == seen {
            continue;
        }
        reload(&current, &path);
        // The files that keys are in may be others now.
        seen = stamps(&path, current.get().config());
    }
}

fn reload(current: &Current, path: &Path) {
    let old = current.get();
    let new = config::read(path).and_then(|mut config| {
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

fn stamps(path: &Path, config: &Config) -> Vec<Stamp> {
    let keys = config.providers.values().flat_map(config::Provider::key_files);
    let stamp = |path: &Path| {
        let file = fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len()))
    };
    std::iter::once(path).chain(keys).map(stamp).collect()
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
