//! Asks a server as fast as it answers.

use std::time::Instant;

use battlement_sim::{Provider, serve::Server};

use crate::{load::ask, report::Spread};

pub(super) struct Measured {
    pub(super) per_second: f64,
    /// Milliseconds from a request to the end of its answer.
    pub(super) median: f64,
    /// The same for 99 of 100.
    pub(super) most: f64,
}

/// So many connections send so many requests each, the next when the one before is answered. The server has a
/// thread, and all clients together have one.
pub(super) fn run(provider: Provider, connections: usize, each: usize, body: &str) -> Measured {
    let server = Server::in_own_thread(&provider).expect("a port");
    let address = server.address().to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let (elapsed, took) = runtime.expect("a runtime").block_on(async {
        // Not measured: connecting, and the first answers.
        ask(&address, connections, each / 10 + 1, body).await;
        let start = Instant::now();
        let took = ask(&address, connections, each, body).await;
        (start.elapsed(), took)
    });
    let mut times: Vec<_> = took.iter().map(|took| took.all / 1e3).collect();
    times.sort_by(f64::total_cmp);
    Measured {
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        median: Spread::of(times.iter().copied()).median,
        most: times[times.len() * 99 / 100],
    }
}
