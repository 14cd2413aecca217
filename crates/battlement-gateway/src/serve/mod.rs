//! `battlement serve`: the gateway on a socket.

mod reload;
mod server;
mod simulated;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{net::TcpListener, runtime, sync::oneshot};

pub(crate) use reload::Current;

use crate::{
    cli::Serve,
    config::{self, Config, Log},
    gateway::{self, Gateway},
};

/// How often the file is looked at. A look costs a microsecond, and works where files are links that are exchanged, as in
/// a container.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until it is told to end.
pub(crate) fn run(arguments: &Serve) -> anyhow::Result<()> {
    runtime().context("cannot start")?.block_on(serve(arguments))
}

/// As many threads as there are cores for; on one core none but this one, which spares each call two switches.
fn runtime() -> std::io::Result<runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    match cores {
        1 => runtime::Builder::new_current_thread().enable_all().build(),
        _ => runtime::Builder::new_multi_thread().worker_threads(cores).enable_all().build(),
    }
}

async fn serve(arguments: &Serve) -> anyhow::Result<()> {
    match &arguments.config {
        Some(path) => {
            let mut config = config::read(path).with_context(|| format!("{}", path.display()))?;
            if let Some(listen) = arguments.listen {
                config.listen = listen;
            }
            log(config.log);
            for warning in config.warnings() {
                tracing::warn!("{warning}");
            }
            let listener = TcpListener::bind(config.listen).await;
            let listener =
                listener.with_context(|| format!("cannot listen on {}", config.listen))?;
            let running = Running::start(config, listener, Some(path)).await?;
            tracing::info!(address = %running.address(), config = %path.display(), "ready");
            running.until_told().await;
        }
        None => {
            let (_provider, config) = simulated::start(arguments.listen).await?;
            log(config.log);
            let (listener, taken) = listen_near(config.listen, arguments.listen.is_some()).await?;
            let running = Running::start(config, listener, None).await?;
            simulated::greet(running.address(), taken)?;
            running.until_told().await;
        }
    }
    Ok(())
}

/// On this address; or, where nobody has asked for it, on the next that is free. Says which was taken.
async fn listen_near(
    address: SocketAddr,
    is_asked: bool,
) -> anyhow::Result<(TcpListener, Option<SocketAddr>)> {
    let tries = if is_asked { 1 } else { 20 };
    let mut error = None;
    for step in 0..tries {
        let near = SocketAddr::new(address.ip(), address.port().saturating_add(step));
        match TcpListener::bind(near).await {
            Ok(listener) => return Ok((listener, (step > 0).then_some(address))),
            Err(source) => error = error.or(Some(source)),
        }
    }
    Err(error.map_or_else(|| anyhow::anyhow!("no port"), Into::into))
        .with_context(|| format!("cannot listen on {address}"))
}

/// Lines to standard error, which is where a service manager looks for them.
fn log(log: Log) {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    // Somebody else may have set one, in a test.
    let _ = match log {
        Log::Json => {
            tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish())
        }
        Log::Text | Log::Off => {
            tracing::subscriber::set_global_default(lines.with_ansi(false).finish())
        }
    };
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    current: Arc<Current>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Serves this configuration on a listener, in tasks of the present runtime. With the path of its file, that is read
    /// again when it changes.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be served: a key is missing, for one.
    pub async fn start(
        config: Config,
        listener: TcpListener,
        path: Option<&Path>,
    ) -> anyhow::Result<Self> {
        Self::start_looking(config, listener, path, LOOK).await
    }

    /// As [`start`](Self::start), looking at the file this often.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn start_looking(
        config: Config,
        listener: TcpListener,
        path: Option<&Path>,
        look: Duration,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let gateway = Gateway::new(config, gateway::client(), None)?;
        let current = Arc::new(Current::new(gateway));
        let (stop, stopped) = oneshot::channel();
        let watching =
            path.map(|path| tokio::spawn(reload::watch(current.clone(), path.to_owned(), look)));
        let serving = server::serve(listener, current.clone(), stopped);
        let task = tokio::spawn(async move {
            serving.await;
            if let Some(watching) = watching {
                watching.abort();
            }
        });
        Ok(Self { address, current, stop, task })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, and ends when the answers that are on their way have ended, or their time has.
    pub async fn drain(self) {
        // Where nobody listens to it, it has ended.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }

    /// Serves until the process is told to end; a second time ends it at once.
    async fn until_told(self) {
        server::told_to_end().await;
        let time = self.current.get().config().server.drain_time.get();
        tracing::info!("no new connections; answers have {time:?} to end");
        tokio::select! {
            () = self.drain() => {}
            () = server::told_to_end() => tracing::warn!("ended with answers on their way"),
        }
    }
}

/// On any free port of this machine.
///
/// # Errors
///
/// When there is none.
pub async fn anywhere() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}
